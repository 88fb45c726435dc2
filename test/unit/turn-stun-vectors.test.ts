/** The test vectors of RFC 5769 (all of section 2) and RFC 8489, appendix B.1. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { longTermKey } from "../../relay/turn/long-term-key.ts";
import { readXorAddress } from "../../relay/turn/stun-address.ts";
import { Attribute, PasswordAlgorithm, StunClass, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { hasValidFingerprint, hasValidIntegrity } from "../../relay/turn/stun-integrity.ts";
import { StunMessage } from "../../relay/turn/stun-message.ts";
import { StunWriter } from "../../relay/turn/stun-writer.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";

const hex = (text: string) => Buffer.from(text.replace(/\s+/g, ""), "hex");

const SHORT_TERM_KEY = Buffer.from("VOkJxbRl1RmTxUk/WvJxBt");
const TRANSACTION_ID = hex("b7e7a701 bc34d686 fa87dfae");

const SAMPLE_REQUEST = hex(`
  00010058 2112a442 b7e7a701 bc34d686 fa87dfae
  80220010 5354554e 20746573 7420636c 69656e74
  00240004 6e0001ff
  80290008 932ff9b1 51263b36
  00060009 6576746a 3a683676 59202020
  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  80280004 e57a3bcf`);

const SAMPLE_IPV4_RESPONSE = hex(`
  0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200008 0001a147 e112a643
  00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
  80280004 c07d4c96`);

const SAMPLE_IPV6_RESPONSE = hex(`
  01010048 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
  00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
  80280004 c8fb0b4c`);

const LONG_TERM_REQUEST = hex(`
  00010060 2112a442 78ad3433 c6ad72c0 29da412e
  00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
  0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
  0014000b 6578616d 706c652e 6f726700
  00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`);

/** RFC 8489 B.1 as corrected by verified erratum 6268. */
const SHA256_REQUEST = hex(`
  00010090 2112a442 78ad3433 c6ad72c0 29da412e
  001e0020 4a3cf38f ef6992bd a952c678 0417da0f 24819415 569e60b2 05c46e41 407f1704
  00150029 6f624d61 744a6f73 32414141 43662f2f 3439396b 39353464 364f4c33 346f4c39 46535476 79363473 41000000
  0014000b 6578616d 706c652e 6f726700
  001d0004 00020000
  001c0020 b5c7bf00 5b6c52a2 1c51c5e8 92f81924 136296cb 927c4314 9309278c c6518e65`);

function decode(bytes: Buffer): StunMessage {
  const message = new StunMessage();
  expect(message.decode(bytes, 0, bytes.length)).toBeNull();
  return message;
}

describe("RFC 5769 §2.1, a request with short-term credentials", () => {
  it("decodes to what the RFC says", () => {
    const message = decode(SAMPLE_REQUEST);
    expect([message.method, message.messageClass]).toEqual([StunMethod.binding, StunClass.request]);
    expect(message.transactionId).toEqual(TRANSACTION_ID);
    expect(message.text(Attribute.username)).toBe("evtj:h6vY");
  });

  it("has a valid integrity and fingerprint, and neither after one flipped bit", () => {
    const message = decode(SAMPLE_REQUEST);
    expect(hasValidIntegrity(message, "sha1", SHORT_TERM_KEY)).toBe(true);
    expect(hasValidFingerprint(message)).toBe(true);
    const forged = Buffer.from(SAMPLE_REQUEST);
    forged.writeUInt8(forged.readUInt8(25) ^ 1, 25);
    expect(hasValidIntegrity(decode(forged), "sha1", SHORT_TERM_KEY)).toBe(false);
    expect(hasValidFingerprint(decode(forged))).toBe(false);
  });
});

describe.each([
  { title: "§2.2, IPv4", bytes: SAMPLE_IPV4_RESPONSE, address: "192.0.2.1" },
  { title: "§2.3, IPv6", bytes: SAMPLE_IPV6_RESPONSE, address: "2001:db8:1234:5678:11:2233:4455:6677" },
])("RFC 5769 $title response", ({ bytes, address }) => {
  it("decodes, with its address, integrity and fingerprint", () => {
    const message = decode(bytes);
    expect(message.messageClass).toBe(StunClass.success);
    const mapped = new TransportAddress();
    expect(readXorAddress(message, message.find(Attribute.xorMappedAddress), mapped)).toBeNull();
    expect([mapped.host, mapped.port]).toEqual([address, 32853]);
    expect(hasValidIntegrity(message, "sha1", SHORT_TERM_KEY)).toBe(true);
    expect(hasValidFingerprint(message)).toBe(true);
  });

  it("is built byte for byte by our writer, but for the padding that the RFC fills with spaces", () => {
    const mapped = TransportAddress.parse(address, 32853) as TransportAddress;
    const built = new StunWriter(StunMethod.binding, StunClass.success, TRANSACTION_ID)
      .text(0x8022, "test vector")
      .xorAddress(Attribute.xorMappedAddress, mapped)
      .integrity("sha1", SHORT_TERM_KEY)
      .fingerprint()
      .finish();
    const upToIntegrity = bytes.length - 8 - 24;
    const unpadded = Buffer.from(bytes.subarray(0, upToIntegrity));
    unpadded.writeUInt8(0, 35);
    expect(built.subarray(0, upToIntegrity)).toEqual(unpadded);
    expect(hasValidIntegrity(decode(built), "sha1", SHORT_TERM_KEY)).toBe(true);
    expect(hasValidFingerprint(decode(built))).toBe(true);
  });
});

describe("RFC 5769 §2.4, a request with long-term credentials", () => {
  const username = "マトリックス";

  it("has a valid integrity under the long-term key", () => {
    const message = decode(LONG_TERM_REQUEST);
    expect(message.text(Attribute.username)).toBe(username);
    expect(message.text(Attribute.realm)).toBe("example.org");
    const key = longTermKey("md5", username, "example.org", "TheMatrIX");
    expect(hasValidIntegrity(message, "sha1", key)).toBe(true);
    expect(hasValidIntegrity(message, "sha1", longTermKey("md5", username, "example.org", "TheMatrix"))).toBe(false);
  });

  it("is built byte for byte by our writer", () => {
    const built = new StunWriter(StunMethod.binding, StunClass.request, hex("78ad3433 c6ad72c0 29da412e"))
      .text(Attribute.username, username)
      .text(Attribute.nonce, "f//499k954d6OL34oL9FSTvy64sA")
      .text(Attribute.realm, "example.org")
      .integrity("sha1", longTermKey("md5", username, "example.org", "TheMatrIX"))
      .finish();
    expect(built).toEqual(LONG_TERM_REQUEST);
  });
});

describe("RFC 8489 B.1, MESSAGE-INTEGRITY-SHA256, USERHASH and PASSWORD-ALGORITHM", () => {
  const username = "マトリックス";

  it("decodes and verifies under the SHA-256 key, not under the MD5 key", () => {
    const message = decode(SHA256_REQUEST);
    expect(message.value(Attribute.userhash)).toEqual(createHash("sha256").update(`${username}:example.org`).digest());
    expect(message.value(Attribute.passwordAlgorithm)?.readUInt16BE(0)).toBe(PasswordAlgorithm.sha256);
    const keyOf = (hash: "md5" | "sha256") => longTermKey(hash, username, "example.org", "TheMatrIX");
    expect(hasValidIntegrity(message, "sha256", keyOf("sha256"))).toBe(true);
    expect(hasValidIntegrity(message, "sha256", keyOf("md5"))).toBe(false);
  });
});
