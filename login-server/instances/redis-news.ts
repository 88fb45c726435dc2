/** News between instances, through Redis, over socket.io's Redis Streams adapter. */
import { createAdapter } from "@socket.io/redis-streams-adapter";
import type { Logger } from "pino";
import { createClient } from "redis";
import type { Server } from "socket.io";
import { type Instances, News } from "./news.ts";

/** The adapter itself only needs its stream for broadcasts, which we do not make: a short one does. */
const MAX_STREAM_LENGTH = 1_000;
const MAX_RECONNECT_DELAY_MS = 3_000;
const EVENT = "news";

export interface RedisNews extends Instances {
  /** For the socket.io server that `attach` is then called with. */
  readonly adapter: ReturnType<typeof createAdapter>;
  attach(endpoint: Server, listener: RedisListener): void;
  close(): Promise<void>;
}

export interface RedisListener {
  heard(news: News): void;
  /** From here on news come again; what was told in the meantime has to be looked up. */
  reconnected(): void;
}

/**
 * Starts to connect and goes on trying for ever: without Redis an instance works, and
 * hears of the others' changes when it looks into the database.
 * @param network whose login server this is: several networks may share a Redis
 */
export function connectRedis(url: string, network: string, log: Logger): RedisNews {
  const client = createClient({
    url,
    socket: { reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, MAX_RECONNECT_DELAY_MS) },
  });
  const publish = client.publish.bind(client);
  // The adapter awaits none of its publications: one that failed would end the process.
  const forgiving = Object.assign(client, {
    publish: (channel: string, message: string | Buffer) => publish(channel, message).catch(() => 0),
  });
  let endpoint: Server | null = null;
  let listener: RedisListener | null = null;
  let isLost = false;
  client.on("error", (error: Error) => {
    if (!isLost) log.warn({ err: error }, "Redis is out of reach: other instances learn of changes later");
    isLost = true;
  });
  client.on("ready", () => {
    if (isLost) log.warn("Redis is back");
    isLost = false;
    listener?.reconnected();
  });
  const channel = `kith:${network}`;
  const adapter = createAdapter(forgiving, {
    streamName: channel,
    channelPrefix: channel,
    maxLen: MAX_STREAM_LENGTH,
  });
  // Rejects only when it is closed while it is still trying.
  client.connect().catch(() => undefined);
  return {
    adapter,
    attach(server, heard) {
      endpoint = server;
      listener = heard;
      server.on(EVENT, (raw: unknown) => {
        const news = News.safeParse(raw);
        // Another version's instance may know more than this one.
        if (news.success) heard.heard(news.data);
      });
    },
    tell(news) {
      // Nothing piles up while Redis is away.
      if (client.isReady) endpoint?.serverSideEmit(EVENT, news);
    },
    async close() {
      listener = null;
      client.destroy();
    },
  };
}
