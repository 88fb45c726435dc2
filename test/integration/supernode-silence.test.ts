/** A machine that loses its power, or a NAT that forgets, closes nothing: only the pings tell. */
import { expect, test } from "vitest";
import { TIMES } from "../../protocol/limits.ts";
import { TestNode } from "../support/node-api-client.ts";
import { startStallingProxy } from "../support/stalling-proxy.ts";
import { TestNetwork } from "../support/test-network.ts";

test("a device that falls silent without a word is gone for its watchers within a minute", async () => {
  // What remains of the minute is for the word to spread.
  expect(TIMES.pingIntervalMs + TIMES.pingTimeoutMs).toBeLessThan(55_000);

  const network = await TestNetwork.start(2, { times: { pingIntervalMs: 500, pingTimeoutMs: 4_000 } });
  const [home, other] = [network.at(0), network.at(1)];
  const line = await startStallingProxy("127.0.0.2", "127.0.0.1", home.port);
  const alice = await TestNode.online(other, network.authority.device());
  const bob = await TestNode.online({ ...home, host: "127.0.0.2" }, network.authority.device());
  try {
    await alice.call("watch", { userIds: [bob.userId] });
    const carol = await TestNode.online(home, network.authority.device());
    line.stall();
    await alice.sees(bob.userId, "gone");
    expect(carol.socket.connected).toBe(true);
    carol.close();
  } finally {
    alice.close();
    bob.close();
    await line.close();
    await network.close();
  }
});
