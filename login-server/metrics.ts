/** What a host watches: Prometheus metrics, without a handle, an address or an ID in any label. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Sessions } from "./accounts/sessions.ts";

/** Seconds: an OPAQUE step takes 1 to 5 ms, a full disk's refusal longer. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<"route" | "status">;
  readonly #sessionRequests: Counter<"method" | "outcome">;

  constructor(sessions: Sessions) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: "kith_login_request_seconds",
      help: "Time to answer a request, by route and status.",
      labelNames: ["route", "status"],
      buckets: BUCKETS,
      registers,
    });
    this.#sessionRequests = new Counter({
      name: "kith_login_session_requests_total",
      help: "Requests within sessions, by method and outcome (ok or an error code).",
      labelNames: ["method", "outcome"],
      registers,
    });
    new Gauge({
      name: "kith_login_connected_devices",
      help: "Devices that have a session open.",
      registers,
      collect() {
        this.set(sessions.devices);
      },
    });
    new Gauge({
      name: "kith_login_connected_accounts",
      help: "Accounts of which a device has a session open.",
      registers,
      collect() {
        this.set(sessions.accounts);
      },
    });
  }

  readonly answered = (route: string, status: number, seconds: number): void => {
    this.#requests.observe({ route, status: String(status) }, seconds);
  };

  readonly sessionAnswered = (method: string, outcome: string): void => {
    this.#sessionRequests.inc({ method, outcome });
  };

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
