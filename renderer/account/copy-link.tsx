import { useState } from "react";
import { Button } from "react-aria-components";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";

/** Puts a link into the clipboard, and says so. */
export function CopyLink({ link }: { readonly link: string }) {
  const text = useText();
  const [copied, setCopied] = useState("");
  const { run } = useRequest();
  const copy = () =>
    void run(async () => {
      await navigator.clipboard.writeText(link);
      setCopied(link);
    });
  return (
    <Button className="button button-small" onPress={copy}>
      {text(copied === link ? "network.copied" : "network.copy")}
    </Button>
  );
}
