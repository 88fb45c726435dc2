/** `bench -- login-subject DIR`: the login server under test as a process of its own; it ends with its parent. */
import type { RateOptions } from "../login-server/limits/rate-limits.ts";
import { DEFAULT_RATES } from "../login-server/limits/rate-limits.ts";
import { startLoginServer } from "../login-server/server.ts";

/** All clients of the benchmark share one address, and some of them an account. */
const UNLIMITED = { burst: 1e9, perSecond: 1e9 };

export async function runLoginSubject([dataFolder = ""]: readonly string[]): Promise<void> {
  const rates = Object.fromEntries(
    Object.keys(DEFAULT_RATES).map((limit) => [limit, UNLIMITED]),
  ) as Partial<RateOptions>;
  const server = await startLoginServer({ dataFolder, rates });
  process.once("disconnect", () => void server.close().finally(() => process.exit(0)));
  process.send?.({ url: server.url });
}
