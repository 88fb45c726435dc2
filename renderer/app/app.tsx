import { SignInScreen } from "../sign-in/sign-in-screen.tsx";
import { useAppState } from "./kith.tsx";
import { MainWindow } from "./main-window.tsx";
import { StartScreen } from "./start-screen.tsx";

export function App() {
  const session = useAppState((state) => state.session);
  switch (session.phase) {
    case "starting":
      return <StartScreen />;
    case "signed-out":
      return <SignInScreen key={session.invitation} session={session} />;
    case "signed-in":
      return <MainWindow session={session} />;
    default:
      return session satisfies never;
  }
}
