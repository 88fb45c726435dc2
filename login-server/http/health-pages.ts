/** What load balancers, container engines and Prometheus ask for. */
import { type Kysely, sql } from "kysely";
import type { Metrics } from "../metrics.ts";
import type { Schema } from "../storage/schema.ts";
import type { Page } from "./http-server.ts";

/** A database that takes longer counts as gone: whoever asks has others to send people to. */
const DATABASE_PATIENCE_MS = 2_000;

/** `/health`: the process answers. `/ready`: so does its database. @returns null for any other path */
export async function healthPage(path: string, db: Kysely<Schema>): Promise<Page | null> {
  if (path === "/health") return plain(200, "ok");
  if (path !== "/ready") return null;
  return (await answers(db)) ? plain(200, "ready") : plain(503, "the database does not answer");
}

/** `/metrics`, in the text format of Prometheus. @returns null for any other path */
export async function metricsPage(path: string, metrics: Metrics): Promise<Page | null> {
  if (path !== "/metrics") return null;
  return { status: 200, headers: { "content-type": metrics.contentType }, body: await metrics.text() };
}

async function answers(db: Kysely<Schema>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), DATABASE_PATIENCE_MS);
  });
  const asked = sql`select 1`.execute(db).then(
    () => true,
    () => false,
  );
  return Promise.race([asked, patience]).finally(() => clearTimeout(timer));
}

function plain(status: number, text: string): Page {
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return { status, headers, body: `${text}\n` };
}
