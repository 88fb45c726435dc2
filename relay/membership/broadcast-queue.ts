/**
 * News to pass on, each piece a bounded number of times, the least told first (SWIM,
 * section 4.1). A newer piece about the same thing replaces the older one.
 */
import { type GossipItem, itemBytes } from "../../protocol/gossip-item.ts";
import { SUSPICION_BYTES } from "../../protocol/gossip-statement.ts";

const SMALLEST_ITEM_BYTES = 1 + SUSPICION_BYTES;

/** Each suspicion is told at least so often, however small the network. */
const LEAST_TOLD = 8;

/** A piece of news, as a link in the chain of those that were told as often. */
export class News {
  readonly item: GossipItem;
  readonly bytes: number;
  /** What it replaces and is replaced by; null if nothing is. */
  readonly about: string | null;
  told = 0;
  isOver = false;
  next: News | null = null;
  previous: News | null = null;

  constructor(about: string | null, item: GossipItem) {
    this.about = about;
    this.item = item;
    this.bytes = itemBytes(item);
  }
}

export class BroadcastQueue {
  readonly #byAbout = new Map<string, News>();
  /** By how often they were told. */
  readonly #levels: Chain[] = [];
  #size = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(about: string, item: GossipItem): void {
    this.remove(about);
    const news = this.#put(new News(about, item));
    this.#byAbout.set(about, news);
  }

  remove(about: string): void {
    const news = this.#byAbout.get(about);
    if (news) this.withdraw(news);
  }

  /** What no other news replaces: whoever adds it may withdraw it. */
  tell(item: GossipItem): News {
    return this.#put(new News(null, item));
  }

  withdraw(news: News): void {
    if (news.isOver) return;
    this.#level(news.told).cut(news);
    this.#forget(news);
  }

  /** What fits into `bytes`, counted as told once more; gone after `limit` times. */
  take(bytes: number, limit: number): GossipItem[] {
    if (this.#size === 0) return [];
    const taken: News[] = [];
    let room = bytes;
    for (const level of this.#levels) {
      for (let news = level.first; news && room >= SMALLEST_ITEM_BYTES; news = news.next) {
        if (news.bytes > room) continue;
        taken.push(news);
        room -= news.bytes;
      }
    }
    for (const news of taken) {
      this.#level(news.told).cut(news);
      news.told++;
      if (news.told >= timesTold(news.item, limit)) this.#forget(news);
      else this.#level(news.told).append(news);
    }
    return taken.map((news) => news.item);
  }

  #put(news: News): News {
    this.#level(0).append(news);
    this.#size++;
    this.#bytes += news.bytes;
    return news;
  }

  #forget(news: News): void {
    news.isOver = true;
    if (news.about !== null) this.#byAbout.delete(news.about);
    this.#size--;
    this.#bytes -= news.bytes;
  }

  #level(told: number): Chain {
    while (this.#levels.length <= told) this.#levels.push(new Chain());
    return this.#levels[told] as Chain;
  }
}

/**
 * Whoever misses a refutation takes somebody for dead who lives; whoever misses a suspicion waits for the
 * next one, and when many have died at once, suspicions are nearly all that is told.
 */
function timesTold(item: GossipItem, limit: number): number {
  return item.kind === "suspicion" ? Math.min(limit, Math.max(LEAST_TOLD, limit / 2)) : limit;
}

/** A list from which any link can be cut at no cost, the oldest first. */
class Chain {
  first: News | null = null;
  #last: News | null = null;

  append(news: News): void {
    news.previous = this.#last;
    if (this.#last) this.#last.next = news;
    else this.first = news;
    this.#last = news;
  }

  cut(news: News): void {
    if (news.previous) news.previous.next = news.next;
    else this.first = news.next;
    if (news.next) news.next.previous = news.previous;
    else this.#last = news.previous;
    news.next = null;
    news.previous = null;
  }
}
