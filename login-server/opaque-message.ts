import { KithError } from "../protocol/errors.ts";

/**
 * Runs one step of OPAQUE over what a client sent: the library throws at whatever does not
 * decode. Its own words stay out of the answer, as they may quote the input.
 * @throws KithError `malformed`
 */
export function fromOpaque<T>(what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new KithError("malformed", { what }, { cause: error });
  }
}
