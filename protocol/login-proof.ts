/** What a device or a supernode signs for the login server: identifiers as raw bytes, one after the other. */
import { ByteWriter, concatBytes, fromHex, utf8 } from "./bytes.ts";
import {
  type DeviceId,
  type Handle,
  NETWORK_ID_BYTES,
  type NetworkId,
  SUPERNODE_ID_BYTES,
  type SupernodeId,
} from "./identifiers.ts";
import { statement } from "./signed.ts";

export interface RegistrationClaim {
  readonly networkId: NetworkId;
  readonly handle: Handle;
  readonly signKey: Uint8Array;
  readonly boxKey: Uint8Array;
  readonly vault: Uint8Array;
  readonly deviceId: DeviceId;
}

/** Of all fields only the handle varies in length, so that the bytes can be read in one way only. */
export function registrationStatement(claim: RegistrationClaim): Uint8Array {
  return statement(
    "registration",
    concatBytes([
      fromHex(claim.networkId),
      utf8(claim.handle),
      claim.signKey,
      claim.boxKey,
      claim.vault,
      fromHex(claim.deviceId),
    ]),
  );
}

/** @param nonce 32 bytes, from the server's challenge on this very connection. */
export function loginSessionStatement(networkId: NetworkId, nonce: Uint8Array, deviceId: DeviceId): Uint8Array {
  return statement("loginSession", concatBytes([fromHex(networkId), nonce, fromHex(deviceId)]));
}

/** Signed with the recovery key. @param nonce 32 bytes, from the server's answer to the start of this recovery. */
export function recoveryStatement(networkId: NetworkId, nonce: Uint8Array, handle: Handle): Uint8Array {
  return statement("recovery", concatBytes([fromHex(networkId), nonce, utf8(handle)]));
}

/** Signed with the account's key. @param recoveryKey the public half, 32 bytes */
export function recoveryKeyStatement(networkId: NetworkId, recoveryKey: Uint8Array, vault: Uint8Array): Uint8Array {
  return statement("recoveryKey", concatBytes([fromHex(networkId), recoveryKey, vault]));
}

export interface EnrolmentClaim {
  readonly networkId: NetworkId;
  readonly signKey: Uint8Array;
  readonly tlsFingerprint: Uint8Array;
  readonly host: string;
  readonly port: number;
}

export function enrolmentStatement(claim: EnrolmentClaim): Uint8Array {
  return statement(
    "enrolment",
    concatBytes([fromHex(claim.networkId), claim.signKey, claim.tlsFingerprint, utf8(`${claim.host}:${claim.port}`)]),
  );
}

/** "I am there": what a supernode tells the login server of itself now and then. */
export interface ReportClaim {
  readonly networkId: NetworkId;
  readonly supernodeId: SupernodeId;
  /** ms since 1970 */
  readonly at: number;
  /** Nodes that it would still let attach. */
  readonly room: number;
}

export function reportStatement(claim: ReportClaim): Uint8Array {
  const body = new ByteWriter()
    .fixed(fromHex(claim.networkId), NETWORK_ID_BYTES)
    .fixed(fromHex(claim.supernodeId), SUPERNODE_ID_BYTES)
    .u64(claim.at)
    .u32(claim.room);
  return statement("supernodeReport", body.finish());
}
