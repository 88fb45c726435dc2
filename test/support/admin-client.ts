/** Asks a running login server's administration, as its command line does, by the table that both share. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import type { Endpoint } from "../../login-server/http/http-server.ts";

/** @throws Error with the code of a refusal */
export async function askAdmin<I extends z.ZodType, O extends z.ZodType>(
  dataFolder: string,
  endpoint: Endpoint<I, O>,
  input: z.input<I> | Record<string, unknown>,
): Promise<z.infer<O>> {
  const { url, token } = JSON.parse(readFileSync(join(dataFolder, "admin.json"), "utf8")) as Record<string, string>;
  const response = await fetch(`${url}${endpoint.path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(input),
  });
  const answer = (await response.json()) as { error?: { code: string } };
  if (answer.error) throw new Error(answer.error.code);
  return endpoint.output.parse(answer);
}
