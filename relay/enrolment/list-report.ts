/** Tells the login server now and then that this supernode is there; whoever is silent for an hour leaves its list. */
import type { Logger } from "pino";
import type { NetworkId, SupernodeId } from "../../protocol/identifiers.ts";
import { reportStatement } from "../../protocol/login-proof.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import type { RelayTimes } from "../relay-times.ts";
import type { LoginServerClient } from "./login-server-client.ts";

export interface ListReportParts {
  readonly networkId: NetworkId;
  readonly supernodeId: SupernodeId;
  readonly signSecret: Uint8Array;
  readonly loginServer: Pick<LoginServerClient, "report">;
  /** Nodes that would still be let attach. */
  room(): number;
  readonly now: () => number;
  readonly times: Pick<RelayTimes, "listReportMs">;
  readonly log: Logger;
}

/** @returns stops reporting */
export function reportToList(parts: ListReportParts): () => void {
  const { networkId, supernodeId, signSecret, loginServer, room, now, times, log } = parts;
  const report = () => {
    const claim = { networkId, supernodeId, at: now(), room: room() };
    const proof = nodeSignatures.sign(reportStatement(claim), signSecret);
    // The network does without the login server: it learns the next time.
    loginServer.report(claim, proof).catch((error: unknown) => log.debug({ err: error }, "nobody took the report"));
  };
  report();
  const timer = setInterval(report, times.listReportMs);
  return () => clearInterval(timer);
}
