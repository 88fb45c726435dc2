import { KithError } from "../../protocol/errors.ts";

/** The code that work was refused with, or "no error". */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "no error";
  } catch (error) {
    return KithError.from(error).code;
  }
}
