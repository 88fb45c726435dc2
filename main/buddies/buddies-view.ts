/** The buddy list as the window shows it; told anew soon after anything in it has changed. */
import type { UserId } from "../../protocol/identifiers.ts";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import type { AccountSecrets } from "../account/account-keys.ts";
import type { Clock } from "../core/clock.ts";
import type { PushListener } from "../core/pushes.ts";
import type { DirectoryView, PresenceView } from "../directory/directory-view.ts";
import type { ConversationSummary, Conversations } from "../messages/conversations.ts";
import { openLabel } from "./buddy-label.ts";
import type { Buddy, BuddyList } from "./buddy-list.ts";

/** Changes come in groups; the window is told once of each. */
const PUSH_DELAY_MS = 20;
const NOTHING_SAID: ConversationSummary = { unread: 0, lastActivityAt: null, lastLine: "" };

interface Parts {
  readonly buddies: BuddyList;
  readonly directory: DirectoryView;
  readonly conversations: Conversations;
  /** Without a home supernode nothing that the directory has said still holds. */
  readonly attached: () => boolean;
  readonly secrets: AccountSecrets;
  readonly clock: Clock;
  readonly push: PushListener;
}

export class BuddiesView {
  readonly #parts: Parts;
  readonly #summaries = new Map<UserId, ConversationSummary>();
  #cancelPush: (() => void) | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    for (const { userId } of this.#parts.buddies.all()) await this.lineChanged(userId);
  }

  /** A line of this conversation is new, has changed, or was read. */
  async lineChanged(peer: UserId): Promise<void> {
    this.#summaries.set(peer, await this.#parts.conversations.summary(peer));
    this.changed();
  }

  changed(): void {
    this.#cancelPush ??= this.#parts.clock.after(PUSH_DELAY_MS, () => {
      this.#cancelPush = null;
      this.#parts.push("buddies", this.view());
    });
  }

  stop(): void {
    this.#cancelPush?.();
  }

  view(): BuddyView[] {
    return this.#parts.buddies.all().flatMap((buddy) => {
      if (buddy.state === "removed") return [];
      const { userId, handle, greeting, keyChanged, state: relation } = buddy;
      const { alias, groups } = openLabel(buddy.label, this.#parts.secrets);
      const summary = this.#summaries.get(userId) ?? NOTHING_SAID;
      return [{ userId, handle, relation, greeting, keyChanged, alias, groups, ...this.#presence(buddy), ...summary }];
    });
  }

  #presence({ userId, state, keyChanged, profileKey }: Buddy): PresenceView {
    const { directory, attached } = this.#parts;
    if (state !== "buddy" || keyChanged) return { presence: "offline", statusText: "", lastSeenAt: null };
    const view = directory.view(userId, profileKey);
    return attached() && directory.knows(userId) ? view : { ...view, presence: "unknown", statusText: "" };
  }
}
