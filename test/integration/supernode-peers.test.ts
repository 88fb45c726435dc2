import { pino } from "pino";
import { expect, test } from "vitest";
import { decodeSupernodeCertificate } from "../../protocol/certificate.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { DialPolicy } from "../../relay/links/dial-policy.ts";
import type { LinkHandlers } from "../../relay/links/link-peer.ts";
import { Peers, type PeersParts } from "../../relay/links/peers.ts";
import type { MembershipChange } from "../../relay/membership/membership-source.ts";
import { HolderStandings } from "../../relay/records/holder-standing.ts";
import { RELAY_TIMES } from "../../relay/relay-times.ts";
import { freePort } from "../../scripts/free-port.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestAuthority } from "../support/test-identities.ts";

const authority = new TestAuthority(signingKeyPair());
const keys = signingKeyPair();

async function member(digits: string) {
  const now = Date.now();
  return decodeSupernodeCertificate(
    authority.supernodeCertificate({
      networkId: authority.networkId,
      supernodeId: SupernodeId.parse(digits.repeat(20)),
      signKey: keys.publicKey,
      tlsFingerprint: new Uint8Array(32),
      host: "127.0.0.1",
      port: await freePort(),
      serial: 1,
      issuedAt: now,
      expiresAt: now + 3_600_000,
    }),
  );
}

test("a supernode that could not be reached is asked again as soon as it shows itself, and nobody has to wait", async () => {
  const [self, other] = [await member("01"), await member("02")];
  const { supernodeId } = other.value;
  const members = new Map([[supernodeId, other]]);
  let changed: (change: MembershipChange) => void = () => undefined;
  const membership: PeersParts["membership"] = {
    members: () => members,
    linkLost: () => undefined,
    onChange(listener) {
      changed = listener;
      return () => undefined;
    },
  };
  const peers = new Peers({
    self: self.value.supernodeId,
    membership,
    local: {} as LinkHandlers,
    link: {
      identity: {
        anchor: trustAnchor(authority.networkKey, Date.now),
        signSecret: keys.secretKey,
        self: () => self,
        open: new DialPolicy("127.0.0.1", []).open,
      },
      times: RELAY_TIMES,
      // As long as it can be.
      random: () => 0.999,
    },
    standings: new HolderStandings(RELAY_TIMES),
    now: Date.now,
    log: pino({ level: "silent" }),
  });
  const returned: SupernodeId[] = [];
  peers.listen({ pushed: () => undefined, lost: () => undefined, returned: (id) => void returned.push(id) });
  const fail = async () => {
    expect(await codeOf(peers.call(supernodeId, "room", {}))).toBe("supernode-unreachable");
    expect(peers.isGood(supernodeId)).toBe(false);
  };
  try {
    await fail();
    changed({ kind: "joined", member: other });
    expect(peers.isGood(supernodeId)).toBe(true);
    await fail();
    peers.returned(supernodeId);
    expect(peers.isGood(supernodeId)).toBe(true);
    peers.returned(self.value.supernodeId);
    expect(returned).toEqual([supernodeId, supernodeId]);
  } finally {
    peers.close();
  }
});
