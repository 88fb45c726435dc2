/** Signed profiles of test devices. */
import { Handle } from "../../protocol/identifiers.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { dayOf, decodeProfile, encodeProfile, type Profile, type ProfileDraft } from "../../protocol/profile.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import type { TestAuthority, TestDevice } from "./test-identities.ts";

/** A profile as its user's device would sign it. */
export function signedProfile(device: TestDevice, choices: Partial<ProfileDraft> = {}): Uint8Array {
  const body = encodeProfile({
    certificate: device.certificate,
    texts: { displayName: "", words: "" },
    formerKeys: [],
    sequence: 1,
    issuedAt: dayOf(device.now()),
    ...choices,
  });
  return signBody(nodeSignatures, "profile", body, device.secretKey);
}

export interface Person {
  readonly device: TestDevice;
  readonly profile: Signed<Profile>;
}

/** Somebody new with this handle and these texts. */
export function person(authority: TestAuthority, handle: string, displayName = "", words = ""): Person {
  const device = authority.device({ handle: Handle.parse(handle) });
  return { device, profile: decodeProfile(signedProfile(device, { texts: { displayName, words } })) };
}
