import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { useKith } from "../app/kith.tsx";
import { PasswordField } from "../sign-in/password-field.tsx";
import { useText } from "../texts/use-text.ts";
import { saveText } from "./save-text.ts";
import { useRequest } from "./use-request.ts";

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
        <div className="form-error" role="alert">
          {exporting.trouble}
        </div>
        <div className="dialog-buttons">
          <Button className="button" isDisabled={exporting.isRunning} onPress={exportAll}>
            {text("data.exportNow")}
          </Button>
        </div>
      </section>
      <section className="settings-group">
        <h3 className="settings-heading">{text("data.delete")}</h3>
        <p className="dialog-words">{text("data.deleteExplain", { handle })}</p>
        <Form className="form" onSubmit={submit}>
          <PasswordField label={text("password.current")} value={password} onChange={setPassword} />
          <div className="form-error" role="alert">
            {deleting.trouble}
          </div>
          <div className="dialog-buttons">
            <Button type="submit" className="button button-danger" isDisabled={deleting.isRunning || password === ""}>
              {text("data.deleteNow", { handle })}
            </Button>
          </div>
        </Form>
      </section>
    </>
  );
}
