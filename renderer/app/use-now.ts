import { useEffect, useState } from "react";
import { useKith } from "./kith.tsx";

/** The time in ms since 1970, fresh every `everyMs` while the component is shown. */
export function useNow(everyMs: number): number {
  const { clock } = useKith();
  const [now, setNow] = useState(() => clock.now());
  useEffect(() => {
    setNow(clock.now());
    return clock.every(everyMs, () => setNow(clock.now()));
  }, [clock, everyMs]);
  return now;
}
