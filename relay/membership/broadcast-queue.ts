/**
 * News to pass on, each piece a bounded number of times, the least told first (SWIM,
 * section 4.1). A newer piece about the same thing replaces the older one.
 */
import { type GossipItem, itemBytes } from "../../protocol/gossip-item.ts";
import { SUSPICION_BYTES } from "../../protocol/gossip-statement.ts";

const SMALLEST_ITEM_BYTES = 1 + SUSPICION_BYTES;

interface News {
  readonly about: string;
  readonly item: GossipItem;
  readonly bytes: number;
  told: number;
}

export class BroadcastQueue {
  readonly #byAbout = new Map<string, News>();
  /** By how often they were told. */
  readonly #levels: Set<News>[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#byAbout.size === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(about: string, item: GossipItem): void {
    this.remove(about);
    const news = { about, item, bytes: itemBytes(item), told: 0 };
    this.#byAbout.set(about, news);
    this.#level(0).add(news);
    this.#bytes += news.bytes;
  }

  remove(about: string): void {
    const news = this.#byAbout.get(about);
    if (!news) return;
    this.#level(news.told).delete(news);
    this.#forget(news);
  }

  /** What fits into `bytes`, counted as told once more; gone after `limit` times. */
  take(bytes: number, limit: number): GossipItem[] {
    if (this.#byAbout.size === 0) return [];
    const taken: News[] = [];
    let room = bytes;
    for (const level of this.#levels) {
      if (room < SMALLEST_ITEM_BYTES) break;
      for (const news of level) {
        if (room < SMALLEST_ITEM_BYTES) break;
        if (news.bytes > room) continue;
        taken.push(news);
        room -= news.bytes;
      }
    }
    for (const news of taken) {
      this.#level(news.told).delete(news);
      news.told++;
      if (news.told >= limit) this.#forget(news);
      else this.#level(news.told).add(news);
    }
    return taken.map((news) => news.item);
  }

  #forget(news: News): void {
    this.#byAbout.delete(news.about);
    this.#bytes -= news.bytes;
  }

  #level(told: number): Set<News> {
    while (this.#levels.length <= told) this.#levels.push(new Set());
    return this.#levels[told] as Set<News>;
  }
}
