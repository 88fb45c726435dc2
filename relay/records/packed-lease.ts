/** A lease that was checked when it came in: decoded again only if somebody asks what is in it. */
import { SIGNATURE_BYTES } from "../../protocol/identifiers.ts";
import { decodeLease, type Lease } from "../../protocol/lease.ts";
import type { Signed } from "../../protocol/signed.ts";

export class PackedLease implements Signed<Lease> {
  readonly bytes: Uint8Array;
  #value: Lease | null = null;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get value(): Lease {
    this.#value ??= decodeLease(this.bytes).value;
    return this.#value;
  }

  get body(): Uint8Array {
    return this.bytes.subarray(0, this.bytes.length - SIGNATURE_BYTES);
  }

  get signature(): Uint8Array {
    return this.bytes.subarray(this.bytes.length - SIGNATURE_BYTES);
  }
}
