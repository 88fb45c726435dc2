/** Fetches a whole buddy list over a session, again and again. */
import { Agent } from "node:http";
import { io } from "socket.io-client";
import { DeviceId } from "../protocol/identifiers.ts";
import { LOGIN_HTTP, LOGIN_METHODS, LOGIN_PUSHES } from "../protocol/login-api.ts";
import { loginSessionStatement } from "../protocol/login-proof.ts";
import { loginSocketOptions } from "../protocol/login-socket.ts";
import { nodeSignatures } from "../protocol/node-crypto.ts";
import { caller } from "../protocol/rpc.ts";
import { Failure } from "./failure.ts";
import type { BenchAccount } from "./login-accounts.ts";
import { login } from "./login-client.ts";

const DEVICE = DeviceId.parse("0".repeat(32));

/** @returns ms of each: from the first request to the last line, as the device sees it */
export async function syncTimes(url: string, account: BenchAccount | undefined, count: number): Promise<number[]> {
  if (!account) throw new Failure("There is no account.");
  const agent = new Agent({ keepAlive: true });
  const { certificate } = await login(agent, url, account.handle, DEVICE);
  agent.destroy();
  const { networkId } = LOGIN_HTTP.network.output.parse(await (await fetch(url + LOGIN_HTTP.network.path)).json());
  const socket = io(url, loginSocketOptions());
  try {
    const challenge = await new Promise((resolve, reject) => {
      socket.once("challenge", resolve);
      socket.once("connect_error", reject);
    });
    const { nonce } = LOGIN_PUSHES.challenge.parse(challenge);
    const call = caller(socket, LOGIN_METHODS);
    const proof = nodeSignatures.sign(loginSessionStatement(networkId, nonce, DEVICE), account.sign.secretKey);
    await call("open", { certificate, proof });
    const times: number[] = [];
    for (let round = 0; round < count; round++) {
      const since = performance.now();
      for (let at = 0, more = true; more; ) {
        const delta = await call("syncBuddies", { since: at });
        at = delta.revision;
        more = delta.more;
      }
      times.push(performance.now() - since);
      // Ten pages each: below what a session may ask for.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return times;
  } finally {
    socket.disconnect();
  }
}
