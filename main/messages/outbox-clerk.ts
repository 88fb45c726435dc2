/**
 * The outbox's book-keeping that nothing waits for: what is on its way, what is done with. In
 * batches, because every commit waits for the disk.
 */
import type { MessageId, UserId } from "../../protocol/identifiers.ts";
import type { LineView } from "../../protocol/ipc-schema.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { DirectoryView } from "../directory/directory-view.ts";
import type { Db, Tx } from "../storage/database-schema.ts";
import type { Conversations } from "./conversations.ts";
import type { Outbox } from "./outbox.ts";

const BATCH_MS = 150;

interface Parts {
  readonly db: Db;
  readonly self: UserId;
  readonly outbox: Outbox;
  readonly conversations: Conversations;
  readonly directory: Pick<DirectoryView, "devices" | "knows">;
  readonly surroundings: Surroundings;
  /** The line has changed. */
  readonly show: (line: LineView) => void;
}

export class OutboxClerk {
  readonly #parts: Parts;
  #sent = new Map<UserId, MessageId[]>();
  #toSettle = new Set<UserId>();
  #cancelBatch: (() => void) | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A supernode says that a device of the recipient has taken it: on its way, not more. */
  sent(recipient: UserId, messageId: MessageId): void {
    if (recipient === this.#parts.self) return;
    this.#sent.set(recipient, [...(this.#sent.get(recipient) ?? []), messageId]);
    this.#soon();
  }

  /** Messages have arrived at this user, or their devices have changed: something may be done with. */
  settle(userId: UserId): void {
    this.#toSettle.add(userId);
    this.#soon();
  }

  /** What is still to be written down is written down when this resolves. */
  async flush(): Promise<void> {
    this.#cancelBatch?.();
    this.#cancelBatch = null;
    const { db, conversations, show } = this.#parts;
    const [sent, toSettle] = [this.#sent, this.#toSettle];
    this.#sent = new Map();
    this.#toSettle = new Set();
    if (sent.size === 0 && toSettle.size === 0) return;
    const lines = await db.transaction().execute(async (tx) => {
      const changed: LineView[] = [];
      for (const [peer, messageIds] of sent)
        changed.push(...(await conversations.advance(tx, peer, messageIds, "sent")));
      for (const userId of toSettle) await this.#settle(tx, userId);
      return changed;
    });
    for (const line of lines) show(line);
  }

  async #settle(tx: Tx, userId: UserId): Promise<void> {
    const { self, outbox, directory, surroundings } = this.#parts;
    if (!directory.knows(userId)) return;
    const devices = directory.devices(userId).map(({ deviceId }) => deviceId);
    await outbox.settle(tx, userId, devices, userId === self, surroundings.clock.now());
  }

  #soon(): void {
    const { clock, background } = this.#parts.surroundings;
    this.#cancelBatch ??= clock.after(BATCH_MS, () => background.run("outbox", this.flush()));
  }
}
