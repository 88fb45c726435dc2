/** One PostgreSQL for all tests that run over it; each of them gets databases of its own. */
import type { TestProject } from "vitest/node";
import { startPostgres, whyNoPostgres } from "./postgres-server.ts";
import { whyNoRedis } from "./redis-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** What the login servers of the tests keep their tables in. */
    database?: { readonly kind: "postgres"; readonly url: string } | { readonly kind: "missing"; readonly why: string };
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Installed now, if it can be: a test has not that much time. Tests that need it say so themselves.
  await whyNoRedis();
  const why = await whyNoPostgres();
  if (why !== null) {
    project.provide("database", { kind: "missing", why });
    return async () => undefined;
  }
  const server = await startPostgres();
  project.provide("database", { kind: "postgres", url: server.url });
  return () => server.close();
}
