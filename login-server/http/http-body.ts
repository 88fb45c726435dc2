/** The JSON body of a request: its size is limited before a byte of it is parsed. */
import type { IncomingMessage } from "node:http";
import { KithError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws KithError `too-large`, `malformed` */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  // A page in a browser can send other types to any server without asking it first.
  if (!/^application\/json\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    throw new KithError("malformed", { what: "content-type", why: "application/json expected" });
  }
  if (request.headers["content-encoding"]) throw new KithError("malformed", { what: "content-encoding" });
  if (Number(request.headers["content-length"] ?? 0) > LIMITS.maxHttpBodyBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > LIMITS.maxHttpBodyBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return JSON.parse(utf8.decode(Buffer.concat(chunks)));
  } catch (error) {
    if (error instanceof KithError) throw error;
    throw new KithError("malformed", { what: "body" });
  }
}

function tooLarge(): KithError {
  return new KithError("too-large", { what: "A request", limit: `${LIMITS.maxHttpBodyBytes} bytes` });
}
