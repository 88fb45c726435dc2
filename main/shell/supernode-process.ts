/** The supernode on this computer: a process of its own, which gets orders and nothing of the person's. */
import type { UtilityProcess, utilityProcess } from "electron";
import { SupernodeNews } from "../../protocol/desktop-supernode.ts";
import type { Log } from "../core/log.ts";
import type { SupernodeHost } from "../supernode/supernode-host.ts";

/** One line of its log; more is cut off. */
const MAX_LINE_LENGTH = 2_000;

/** @param script the supernode's bundle */
export function supernodeLauncher(utility: typeof utilityProcess, script: string, log: Log): SupernodeHost["launch"] {
  return (listener) => {
    // Not this process's environment: what stands there is none of its business.
    const child: UtilityProcess = utility.fork(script, [], {
      env: {},
      serviceName: "Kith supernode",
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.on("data", (words: Buffer) => {
      log.warn("supernode process", { words: words.toString("utf8", 0, MAX_LINE_LENGTH).trim() });
    });
    child.on("message", (received: unknown) => {
      const news = SupernodeNews.safeParse(received);
      if (news.success) listener.news(news.data);
      else log.error("supernode process", { code: "malformed" });
    });
    child.once("exit", () => listener.ended());
    return {
      tell: (order) => child.postMessage(order),
      kill: () => void child.kill(),
    };
  };
}
