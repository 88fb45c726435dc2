/** A TCP line between two ends that a test can stall, as a NAT that forgets or a machine that hangs does: without a word. */
import { connect, createServer, type Socket } from "node:net";

export interface StallingProxy {
  /** Nothing passes any more, and nobody is told. */
  stall(): void;
  /** What has piled up passes, and so does what comes. */
  resume(): void;
  close(): Promise<void>;
}

/** Listens on `listen`:`port` and passes everything on to `target`:`port`. */
export async function startStallingProxy(listen: string, target: string, port: number): Promise<StallingProxy> {
  const ends = new Set<Socket>();
  let isStalled = false;
  const server = createServer((near) => {
    const far = connect(port, target);
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(end);
      end.on("data", (chunk) => other.write(chunk));
      end.on("error", () => end.destroy());
      end.on("close", () => {
        ends.delete(end);
        other.destroy();
      });
      if (isStalled) end.pause();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, listen, resolve);
  });
  return {
    stall() {
      isStalled = true;
      for (const end of ends) end.pause();
    },
    resume() {
      isStalled = false;
      for (const end of ends) end.resume();
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const end of ends) end.destroy();
      await closed;
    },
  };
}
