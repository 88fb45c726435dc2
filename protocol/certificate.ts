/** Certificates: what the login server vouches for, signed by the network key. Both kinds are self-contained. */
import { type ByteReader, ByteWriter, fromHex } from "./bytes.ts";
import {
  BOX_KEY_BYTES,
  DEVICE_ID_BYTES,
  type DeviceId,
  Handle,
  NETWORK_ID_BYTES,
  type NetworkId,
  SIGN_KEY_BYTES,
  SIGNATURE_BYTES,
  SUPERNODE_ID_BYTES,
  type SupernodeId,
  USER_ID_BYTES,
  type UserId,
} from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { readDeviceId, readNetworkId, readSupernodeId, readUserId } from "./raw-identifiers.ts";
import { decodeSigned, type Signed } from "./signed.ts";

const FORMAT_VERSION = 1;
const USER_CERTIFICATE = 1;
const SUPERNODE_CERTIFICATE = 2;
export const TLS_FINGERPRINT_BYTES = 32;

/** "This device belongs to this account, which has this handle and these keys." */
export interface UserCertificate {
  readonly networkId: NetworkId;
  readonly handle: Handle;
  readonly userId: UserId;
  /** Ed25519. */
  readonly signKey: Uint8Array;
  /** X25519. */
  readonly boxKey: Uint8Array;
  /** The account's own signature (domain `keyBinding`) over boxKey: the login server cannot swap the sealing key. */
  readonly keyBinding: Uint8Array;
  readonly deviceId: DeviceId;
  readonly serial: number;
  /** ms since 1970, as every time on the wire. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** "This supernode belongs to the network and answers at this address with this TLS certificate." */
export interface SupernodeCertificate {
  readonly networkId: NetworkId;
  readonly supernodeId: SupernodeId;
  /** Ed25519. */
  readonly signKey: Uint8Array;
  /** SHA-256 of the TLS certificate in DER. */
  readonly tlsFingerprint: Uint8Array;
  /** Host name or IP address that others reach it by. */
  readonly host: string;
  readonly port: number;
  readonly serial: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export function encodeUserCertificate(certificate: UserCertificate): Uint8Array {
  return new ByteWriter()
    .u8(USER_CERTIFICATE)
    .u8(FORMAT_VERSION)
    .fixed(fromHex(certificate.networkId), NETWORK_ID_BYTES)
    .string8(certificate.handle)
    .fixed(fromHex(certificate.userId), USER_ID_BYTES)
    .fixed(certificate.signKey, SIGN_KEY_BYTES)
    .fixed(certificate.boxKey, BOX_KEY_BYTES)
    .fixed(certificate.keyBinding, SIGNATURE_BYTES)
    .fixed(fromHex(certificate.deviceId), DEVICE_ID_BYTES)
    .u64(certificate.serial)
    .u64(certificate.issuedAt)
    .u64(certificate.expiresAt)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it: see trust.ts. */
export function decodeUserCertificate(bytes: Uint8Array): Signed<UserCertificate> {
  return decodeSigned(bytes, "user certificate", LIMITS.maxCertificateBytes, (reader) => {
    expectHead(reader, USER_CERTIFICATE);
    const networkId = readNetworkId(reader);
    const handle = Handle.safeParse(reader.string8());
    if (!handle.success) throw reader.refuse("a handle against the rules");
    return {
      networkId,
      handle: handle.data,
      userId: readUserId(reader),
      signKey: reader.fixed(SIGN_KEY_BYTES),
      boxKey: reader.fixed(BOX_KEY_BYTES),
      keyBinding: reader.fixed(SIGNATURE_BYTES),
      deviceId: readDeviceId(reader),
      serial: reader.u64(),
      issuedAt: reader.u64(),
      expiresAt: reader.u64(),
    };
  });
}

export function encodeSupernodeCertificate(certificate: SupernodeCertificate): Uint8Array {
  return new ByteWriter()
    .u8(SUPERNODE_CERTIFICATE)
    .u8(FORMAT_VERSION)
    .fixed(fromHex(certificate.networkId), NETWORK_ID_BYTES)
    .fixed(fromHex(certificate.supernodeId), SUPERNODE_ID_BYTES)
    .fixed(certificate.signKey, SIGN_KEY_BYTES)
    .fixed(certificate.tlsFingerprint, TLS_FINGERPRINT_BYTES)
    .string8(certificate.host)
    .u16(certificate.port)
    .u64(certificate.serial)
    .u64(certificate.issuedAt)
    .u64(certificate.expiresAt)
    .finish();
}

/** @throws KithError `malformed`, `too-large`. Says nothing about who signed it: see trust.ts. */
export function decodeSupernodeCertificate(bytes: Uint8Array): Signed<SupernodeCertificate> {
  return decodeSigned(bytes, "supernode certificate", LIMITS.maxCertificateBytes, (reader) => {
    expectHead(reader, SUPERNODE_CERTIFICATE);
    return {
      networkId: readNetworkId(reader),
      supernodeId: readSupernodeId(reader),
      signKey: reader.fixed(SIGN_KEY_BYTES),
      tlsFingerprint: reader.fixed(TLS_FINGERPRINT_BYTES),
      host: requireHost(reader, reader.string8()),
      port: requirePort(reader, reader.u16()),
      serial: reader.u64(),
      issuedAt: reader.u64(),
      expiresAt: reader.u64(),
    };
  });
}

/** A host name, IPv4 or IPv6 address: nothing that could break out of a URL. */
export const HOST_PATTERN = /^[0-9A-Za-z:._-]{1,253}$/;

/** `host:port` as it stands in a URL. */
export function authority(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function requireHost(reader: ByteReader, host: string): string {
  if (!HOST_PATTERN.test(host)) throw reader.refuse("a host name against the rules");
  return host;
}

function requirePort(reader: ByteReader, port: number): number {
  if (port === 0) throw reader.refuse("port 0");
  return port;
}

function expectHead(reader: ByteReader, type: number): void {
  if (reader.u8() !== type) throw reader.refuse("another kind of structure");
  if (reader.u8() !== FORMAT_VERSION) throw reader.refuse("a version that is not known here");
}
