import { KithError } from "../../protocol/errors.ts";

/** Characters of base64url that each message has (RFC 9807 with ristretto255 and SHA-512): no more and no less. */
const LENGTHS = {
  "registration request": 43,
  "registration record": 256,
  "login request": 128,
  "login proof": 86,
} as const;

/**
 * Runs one step of OPAQUE over what a client sent: the library throws at whatever does not
 * decode, and takes no notice of what follows behind. Its own words stay out of the answer, as they may quote the input.
 * @throws KithError `malformed`
 */
export function fromOpaque<T>(what: keyof typeof LENGTHS, message: string, step: () => T): T {
  if (message.length !== LENGTHS[what]) throw new KithError("malformed", { what });
  try {
    return step();
  } catch (error) {
    throw new KithError("malformed", { what }, { cause: error });
  }
}
