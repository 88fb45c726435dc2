import { useEffect } from "react";

/** Does something once, when the component appears; what it leans on may have changed by the next drawing, and is not asked again. */
export function useOnOpen(begin: () => void): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: once is what it is for
  useEffect(begin, []);
}
