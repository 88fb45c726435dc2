/** A request that a button begins: what the button and the line under it show meanwhile. */
import { useState } from "react";
import { KithError } from "../../protocol/errors.ts";

export type RequestState =
  | { readonly phase: "idle" }
  | { readonly phase: "running" }
  | { readonly phase: "done" }
  | { readonly phase: "refused"; readonly message: string };

export interface RequestHandle {
  readonly state: RequestState;
  readonly isRunning: boolean;
  /** What to show in the place for errors. */
  readonly trouble: string;
  /** One at a time: a second one while the first runs is not begun. */
  run(work: () => Promise<unknown>): Promise<void>;
  refuse(message: string): void;
}

export function useRequest(): RequestHandle {
  const [state, setState] = useState<RequestState>({ phase: "idle" });
  return {
    state,
    isRunning: state.phase === "running",
    trouble: state.phase === "refused" ? state.message : "",
    refuse: (message) => setState({ phase: "refused", message }),
    run: async (work) => {
      if (state.phase === "running") return;
      setState({ phase: "running" });
      try {
        await work();
        setState({ phase: "done" });
      } catch (error) {
        setState({ phase: "refused", message: KithError.from(error).message });
      }
    },
  };
}
