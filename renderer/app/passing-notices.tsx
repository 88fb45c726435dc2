import { Banner } from "./banner.tsx";
import { useAppState, useKith } from "./kith.tsx";
import { withoutNotice } from "./store.ts";

/** Trouble that has passed: it stays until the user puts it away. */
export function PassingNotices() {
  const { store } = useKith();
  const notices = useAppState((state) => state.notices);
  return notices.map((notice) => (
    <Banner
      key={`${notice.code} ${notice.message}`}
      icon="info"
      tone="warning"
      onDismiss={() => store.setState((state) => withoutNotice(state, notice))}
    >
      {notice.message}
    </Banner>
  ));
}
