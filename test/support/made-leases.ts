/** Leases for tests of what stores and moves them. */
import { toHex } from "../../protocol/bytes.ts";
import { DeviceId, InboxId, NetworkId, SupernodeId, type UserId } from "../../protocol/identifiers.ts";
import { decodeLease, encodeLease, type Lease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { nodeSignatures, sha256, signingKeyPair, userIdOf } from "../../protocol/node-crypto.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";

export const LEASE_NETWORK = NetworkId.parse("0e".repeat(20));

export interface MadeAccount {
  readonly userId: UserId;
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** The same account for the same number, every time. */
export function madeAccount(number: number): MadeAccount {
  const keys = signingKeyPair(sha256(new TextEncoder().encode(`account ${number}`)));
  return { userId: userIdOf(keys.publicKey), ...keys };
}

export const deviceNumber = (number: number) => DeviceId.parse(number.toString(16).padStart(32, "0"));
export const inboxNumber = (number: number) => InboxId.parse(number.toString(16).padStart(32, "a"));

/** The same supernode ID for the same number, uniform as the login server's are. */
export function supernodeNumber(number: number): SupernodeId {
  return SupernodeId.parse(toHex(sha256(new TextEncoder().encode(`supernode ${number}`)).subarray(0, 20)));
}

export type LeaseChoices = Partial<Omit<Lease, "userId" | "signKey">> & Pick<Lease, "issuedAt">;

/** A lease that the account has really signed. */
export function madeLease(account: MadeAccount, choices: LeaseChoices): Signed<Lease> {
  const lease: Lease = {
    networkId: LEASE_NETWORK,
    userId: account.userId,
    signKey: account.publicKey,
    deviceId: deviceNumber(1),
    home: supernodeNumber(1),
    inbox: inboxNumber(1),
    sequence: choices.issuedAt,
    validityMs: TIMES.leaseValidityMs,
    sealedBody: new Uint8Array(48),
    ...choices,
  };
  return decodeLease(signBody(nodeSignatures, "lease", encodeLease(lease), account.secretKey));
}

/** Where the user ID stands in an encoded lease (protocol/lease.ts). */
const USER_OFFSET = 22;

/** Leases by the hundred thousand, all unlike, with a signature that is not real: for stores, which take what was checked. */
export function unsignedLeases(choices: LeaseChoices): (number: number, sealedBodyBytes?: number) => Signed<Lease> {
  const templates = new Map<number, Signed<Lease>>();
  return (number, sealedBodyBytes = 48) => {
    const template =
      templates.get(sealedBodyBytes) ??
      madeLease(madeAccount(0), { ...choices, sealedBody: new Uint8Array(sealedBodyBytes) });
    templates.set(sealedBodyBytes, template);
    const userId = sha256(new TextEncoder().encode(`user ${number}`)).subarray(0, 20);
    const bytes = Uint8Array.from(template.bytes);
    bytes.set(userId, USER_OFFSET);
    return {
      value: { ...template.value, userId: toHex(userId) as UserId },
      body: bytes.subarray(0, template.body.length),
      signature: bytes.subarray(template.body.length),
      bytes,
    };
  };
}
