import { ProgressBar } from "react-aria-components";
import { useText } from "../texts/use-text.ts";
import { Banner } from "./banner.tsx";
import { useAppState } from "./kith.tsx";
import { Logo } from "./logo.tsx";

export function StartScreen() {
  const text = useText();
  const notices = useAppState((state) => state.notices);
  return (
    <main className="start-screen">
      <Logo size={72} />
      <ProgressBar isIndeterminate aria-label={text("start.loading")} className="start-progress">
        <span className="start-progress-bar" />
      </ProgressBar>
      <div role="status">
        {notices.map(({ code, message }) => (
          <Banner key={code} icon="info" tone="warning">
            {message}
          </Banner>
        ))}
      </div>
    </main>
  );
}
