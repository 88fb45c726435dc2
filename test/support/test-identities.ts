/** Certified devices without a login: signed with the very key of a network, as its login server would. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../protocol/bytes.ts";
import {
  encodeSupernodeCertificate,
  encodeUserCertificate,
  type SupernodeCertificate,
  type UserCertificate,
} from "../../protocol/certificate.ts";
import { DeviceId, Handle, type NetworkId, type UserId } from "../../protocol/identifiers.ts";
import { encodeKeyLogHead, type KeyLogHead } from "../../protocol/key-log.ts";
import { TIMES } from "../../protocol/limits.ts";
import {
  networkIdOf,
  nodeSignatures,
  type SigningKeyPair,
  signingKeyPair,
  userIdOf,
} from "../../protocol/node-crypto.ts";
import { encodeRevocationList, type RevocationList } from "../../protocol/revocations.ts";
import { signBody, statement } from "../../protocol/signed.ts";
import { encodeSupernodeList, type SupernodeListDraft } from "../../protocol/supernode-list.ts";

export interface TestDevice {
  readonly networkId: NetworkId;
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly signKey: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly certificate: Uint8Array;
  readonly now: () => number;
}

export class TestAuthority {
  readonly #keys: SigningKeyPair;
  readonly networkId: NetworkId;
  readonly now: () => number;
  #serial = 1_000;

  constructor(keys: SigningKeyPair, now: () => number = Date.now) {
    this.#keys = keys;
    this.networkId = networkIdOf(keys.publicKey);
    this.now = now;
  }

  /** Of the network whose login server keeps its data there. */
  static ofLoginServer(dataFolder: string, now: () => number = Date.now): TestAuthority {
    const { networkSeed } = JSON.parse(readFileSync(join(dataFolder, "network-keys.json"), "utf8"));
    return new TestAuthority(signingKeyPair(Buffer.from(networkSeed, "base64")), now);
  }

  get networkKey(): Uint8Array {
    return this.#keys.publicKey;
  }

  /** A new account with one device, or another device of the account with this seed. */
  device({ seed = randomBytes(32), ...choices }: { seed?: Uint8Array } & Partial<UserCertificate> = {}): TestDevice {
    const keys = signingKeyPair(seed);
    const boxKey = randomBytes(32);
    const certificate: UserCertificate = {
      networkId: this.networkId,
      handle: Handle.parse(`user-${toHex(randomBytes(4))}`),
      userId: userIdOf(keys.publicKey),
      signKey: keys.publicKey,
      boxKey,
      keyBinding: nodeSignatures.sign(statement("keyBinding", boxKey), keys.secretKey),
      deviceId: DeviceId.parse(toHex(randomBytes(16))),
      serial: this.#serial++,
      issuedAt: this.now(),
      expiresAt: this.now() + TIMES.userCertificateMs,
      ...choices,
    };
    return {
      networkId: this.networkId,
      userId: certificate.userId,
      deviceId: certificate.deviceId,
      signKey: keys.publicKey,
      secretKey: keys.secretKey,
      certificate: signBody(
        nodeSignatures,
        "userCertificate",
        encodeUserCertificate(certificate),
        this.#keys.secretKey,
      ),
      now: this.now,
    };
  }

  supernodeList(list: Omit<SupernodeListDraft, "networkId">): Uint8Array {
    const body = encodeSupernodeList({ ...list, networkId: this.networkId });
    return signBody(nodeSignatures, "supernodeList", body, this.#keys.secretKey);
  }

  keyLogHead(head: Omit<KeyLogHead, "networkId">): Uint8Array {
    const body = encodeKeyLogHead({ ...head, networkId: this.networkId });
    return signBody(nodeSignatures, "keyLogHead", body, this.#keys.secretKey);
  }

  revocationList(list: Omit<RevocationList, "networkId">): Uint8Array {
    const body = encodeRevocationList({ ...list, networkId: this.networkId });
    return signBody(nodeSignatures, "revocationList", body, this.#keys.secretKey);
  }

  supernodeCertificate(certificate: SupernodeCertificate): Uint8Array {
    return signBody(
      nodeSignatures,
      "supernodeCertificate",
      encodeSupernodeCertificate(certificate),
      this.#keys.secretKey,
    );
  }
}
