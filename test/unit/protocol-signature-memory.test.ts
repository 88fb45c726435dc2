import { performance } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { forgetSignatures, nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import { SignatureMemory } from "../../protocol/signature-memory.ts";

const message = new TextEncoder().encode("a lease");

describe("signatures that were right before", () => {
  test("are right again, and cost far less", () => {
    const { publicKey, secretKey } = signingKeyPair();
    const signature = nodeSignatures.sign(message, secretKey);
    const fastest = (known: boolean) => {
      const times = Array.from({ length: 50 }, () => {
        if (!known) forgetSignatures();
        const start = performance.now();
        expect(nodeSignatures.verify(message, signature, publicKey)).toBe(true);
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    expect(fastest(true)).toBeLessThan(fastest(false));
  });

  test("vouch for no other message, signature or key", () => {
    const { publicKey, secretKey } = signingKeyPair();
    const signature = nodeSignatures.sign(message, secretKey);
    expect(nodeSignatures.verify(message, signature, publicKey)).toBe(true);
    for (let bit = 0; bit < 8; bit++) {
      const changed = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ (1 << bit) : byte));
      for (const at of [0, message.length - 1]) {
        expect(nodeSignatures.verify(changed(message, at), signature, publicKey)).toBe(false);
      }
      for (const at of [0, 31, 32, 63])
        expect(nodeSignatures.verify(message, changed(signature, at), publicKey)).toBe(false);
      for (const at of [0, 31]) expect(nodeSignatures.verify(message, signature, changed(publicKey, at))).toBe(false);
    }
    expect(nodeSignatures.verify(message.subarray(1), signature, publicKey)).toBe(false);
    expect(nodeSignatures.verify(message, signature, signingKeyPair().publicKey)).toBe(false);
  });

  test("are no excuse for wrong ones: those are never remembered", () => {
    const { publicKey, secretKey } = signingKeyPair();
    const forged = nodeSignatures.sign(message, signingKeyPair().secretKey);
    for (let round = 0; round < 3; round++) expect(nodeSignatures.verify(message, forged, publicKey)).toBe(false);
    expect(nodeSignatures.verify(message, nodeSignatures.sign(message, secretKey), publicKey)).toBe(true);
    expect(nodeSignatures.verify(message, forged, publicKey)).toBe(false);
  });
});

describe("the memory of signatures", () => {
  test("tells apart where key, signature and message meet", () => {
    const memory = new SignatureMemory();
    const key = new Uint8Array(32).fill(1);
    const signature = new Uint8Array(64).fill(2);
    const name = memory.nameOf(message, signature, key);
    memory.add(name);
    expect(memory.has(memory.nameOf(message, signature, key))).toBe(true);
    expect(memory.has(memory.nameOf(message.slice(1), signature, key))).toBe(false);
    expect(memory.has(memory.nameOf(message, key, signature))).toBe(false);
  });

  test("keeps the latest of two that share a place, and believes neither for the other", () => {
    const memory = new SignatureMemory();
    const [older, newer] = [Buffer.alloc(32, 7), Buffer.alloc(32, 7)];
    newer[31] = 8;
    memory.add(older);
    expect(memory.has(newer)).toBe(false);
    memory.add(newer);
    expect([memory.has(older), memory.has(newer)]).toEqual([false, true]);
    memory.clear();
    expect(memory.has(newer)).toBe(false);
  });
});
