/** What every component may use, handed down from the composition root. */
import { createContext, type ReactNode, useCallback, useContext } from "react";
import { useStore } from "zustand";
import { KithError } from "../../protocol/errors.ts";
import type { Bridge } from "../bridge.ts";
import type { StartVoiceRecording } from "../media/voice-recorder.ts";
import type { Clock } from "./clock.ts";
import { type AppState, type Store, withNotice } from "./store.ts";

export interface Kith {
  readonly bridge: Bridge;
  readonly store: Store;
  readonly clock: Clock;
  readonly startVoiceRecording: StartVoiceRecording;
}

const KithContext = createContext<Kith | null>(null);

export function KithProvider({ kith, children }: { readonly kith: Kith; readonly children: ReactNode }) {
  return <KithContext value={kith}>{children}</KithContext>;
}

export function useKith(): Kith {
  const kith = useContext(KithContext);
  if (kith === null) throw new Error("a component outside of KithProvider");
  return kith;
}

export function useAppState<T>(select: (state: AppState) => T): T {
  return useStore(useKith().store, select);
}

/** Runs a request whose failure has no place of its own: it is told as a notice. */
export function useAttempt(): (request: Promise<unknown>) => void {
  const { store } = useKith();
  return useCallback(
    (request) => {
      request.catch((error: unknown) => {
        const { code, message } = KithError.from(error);
        store.setState((state) => withNotice(state, { code, message }));
      });
    },
    [store],
  );
}
