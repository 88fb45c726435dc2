import { KithError } from "../../protocol/errors.ts";

/**
 * Bytes of a fixed size out of JSON's base64.
 * @throws KithError `malformed` for any other size
 */
export function exactBytes(base64: string, size: number, what: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(base64, "base64"));
  if (bytes.length !== size) throw new KithError("malformed", { what, why: `${size} bytes expected` });
  return bytes;
}
