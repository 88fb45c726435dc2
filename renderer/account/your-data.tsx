import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { useKith } from "../app/kith.tsx";
import { PasswordField } from "../app/password-field.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import { saveText } from "./save-text.ts";

export function YourData({ handle }: { readonly handle: string }) {
  const text = useText();
  const { bridge } = useKith();
  const exporting = useRequest();
  const deleting = useRequest();
  const [password, setPassword] = useState("");

  function exportAll(): void {
    void exporting.run(async () => {
      const { json } = await bridge.invoke("exportData", {});
      saveText(`kith-${handle}.json`, "application/json", json);
    });
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    void deleting.run(() => bridge.invoke("deleteAccount", { password }));
  }

  return (
    <>
      <section className="settings-group">
        <h3 className="settings-heading">{text("data.export")}</h3>
        <p className="dialog-words">{text("data.exportExplain")}</p>
        <Trouble>{exporting.trouble}</Trouble>
        <div className="dialog-buttons">
          <Button className="button" isPending={exporting.isRunning} onPress={exportAll}>
            {text("data.exportNow")}
          </Button>
        </div>
      </section>
      <section className="settings-group">
        <h3 className="settings-heading">{text("data.delete")}</h3>
        <p className="dialog-words">{text("data.deleteExplain", { handle })}</p>
        <Form className="form" onSubmit={submit}>
          <PasswordField label={text("password.current")} value={password} onChange={setPassword} />
          <Trouble>{deleting.trouble}</Trouble>
          <div className="dialog-buttons">
            <Button
              type="submit"
              className="button button-danger"
              isPending={deleting.isRunning}
              isDisabled={password === ""}
            >
              {text("data.deleteNow", { handle })}
            </Button>
          </div>
        </Form>
      </section>
    </>
  );
}
