import { describe, expect, it } from "vitest";
import { chainOf, type PinnedNetwork, pinOf } from "../../main/account/network-chain.ts";
import { concatBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { type Invitation, InvitationToken } from "../../protocol/invitation.ts";
import { signSuccession } from "../../protocol/network-key.ts";
import { newestFingerprint } from "../../protocol/network-key-chain.ts";
import { networkIdOf, type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";

const NOW = Date.UTC(2026, 10, 1);
const [first, second, thief] = [signingKeyPair(), signingKeyPair(), signingKeyPair()];
const networkId = networkIdOf(first.publicKey);

function to(next: SigningKeyPair, reason: "planned" | "stolen" = "planned"): Uint8Array {
  const until = reason === "planned" ? NOW + 1_000 : NOW;
  return signSuccession({ networkId, number: 1, from: NOW, until, reason }, first, next);
}
const server = (successions: Uint8Array = new Uint8Array(), key = first) => ({
  networkId: networkIdOf(key.publicKey),
  networkKey: key.publicKey,
  successions,
  name: "Chess club",
  registration: "open" as const,
});
const invitation = (key: SigningKeyPair | null, id: Invitation["networkId"] = networkId): Invitation => ({
  loginServer: "https://x.example",
  token: InvitationToken.parse("abcdefghijklmnopqrstuvwxyz012-_9"),
  networkId: id,
  networkKey: key && networkIdOf(key.publicKey),
});
const pinned: PinnedNetwork = { networkId, successions: new Uint8Array(), isCutOff: false };

/** The fingerprint of the key that is believed, or why none is. */
function met(shown: ReturnType<typeof server>, known: PinnedNetwork | null, link: Invitation | null): string {
  try {
    return newestFingerprint(chainOf(shown, known, link, NOW));
  } catch (error) {
    return KithError.from(error).code;
  }
}
const [firstPrint, secondPrint] = [first, second].map(({ publicKey }) => networkIdOf(publicKey));

describe("the network that a login server says it has", () => {
  it("is taken as it comes where nothing is known of it", () => {
    expect(met(server(), null, null)).toBe(firstPrint);
    expect(met(server(to(second)), null, null)).toBe(secondPrint);
    expect(met(server(to(second, "stolen")), null, null)).toBe(secondPrint);
  });

  it("must be the one that was pinned, or that the invitation names", () => {
    expect(met(server(undefined, thief), pinned, null)).toBe("network-changed");
    expect(met(server(undefined, thief), null, invitation(null))).toBe("invitation-network");
  });

  it("goes on by a planned change, but not by a theft, unless the invitation names the new key", () => {
    for (const known of [pinned, null]) {
      const link = known ? null : invitation(null);
      expect(met(server(to(second)), known, link)).toBe(secondPrint);
      expect(met(server(to(second, "stolen")), known, link)).toBe("network-key-unconfirmed");
      expect(met(server(to(second, "stolen")), known, invitation(second))).toBe(secondPrint);
      expect(met(server(to(thief)), known, invitation(second))).toBe("invitation-network");
      expect(met(server(), known, invitation(second))).toBe("invitation-network");
    }
  });

  it("is refused with less than is known, or with something else", () => {
    const known = pinOf(chainOf(server(to(second)), pinned, null, NOW));
    expect(met(server(), known, null)).toBe("network-key-withheld");
    expect(met(server(to(thief)), known, null)).toBe("network-key-forked");
    expect(met(server(concatBytes([to(second), to(second)])), known, null)).toBe("network-key-forged");
    expect(met(server(to(second)), known, null)).toBe(secondPrint);
  });
});
