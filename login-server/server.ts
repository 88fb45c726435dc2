/** Puts the login server together and makes it listen. */
import type { Server as HttpServer } from "node:http";
import { Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import * as opaque from "@serenity-kit/opaque";
import { type Logger, pino } from "pino";
import { authority as authorityOf } from "../protocol/certificate.ts";
import { KithError } from "../protocol/errors.ts";
import type { NetworkId } from "../protocol/identifiers.ts";
import { TIMES } from "../protocol/limits.ts";
import type { RegistrationMode } from "../protocol/login-api.ts";
import { openAdminEndpoint } from "./administration/admin-endpoint.ts";
import { HOST, type IssuedLink } from "./administration/administration.ts";
import { type OpenData, openDataFolder } from "./data-folder.ts";
import { TrustedProxies } from "./http/client-address.ts";
import { healthPage, metricsPage } from "./http/health-pages.ts";
import { loginRoutes } from "./http/http-routes.ts";
import { httpServer } from "./http/http-server.ts";
import { landingPage } from "./http/landing-page.ts";
import { sessionEndpoint } from "./http/session-endpoint.ts";
import { followTlsFiles, readTlsFiles, type TlsFiles } from "./http/tls-files.ts";
import { CATCH_UP_INTERVAL_MS } from "./instances/catch-up.ts";
import { NO_OTHERS } from "./instances/news.ts";
import { connectRedis } from "./instances/redis-news.ts";
import { KeyRing } from "./keys/key-ring.ts";
import type { RateOptions } from "./limits/rate-limits.ts";
import { loginServices } from "./login-services.ts";

export interface LoginServerOptions {
  readonly dataFolder: string;
  /** Address of a PostgreSQL database; without it the database is a file in the data folder. */
  readonly database?: string;
  /** Address of the Redis by which instances that share a database tell each other of changes. */
  readonly redis?: string;
  /** Address to listen on; loopback unless told otherwise. */
  readonly listen?: string;
  /** 0 picks a free one. */
  readonly port?: number;
  /** What people see as the name of the network. */
  readonly name?: string;
  readonly registration?: RegistrationMode;
  /** How others reach it, for links; without it, where it listens. */
  readonly publicUrl?: string;
  /** Where the page of an invitation offers the app. */
  readonly downloadUrl?: string;
  /** Without it, plain HTTP. */
  readonly tls?: TlsFiles;
  /** Addresses and ranges of the proxies that stand before it, and that plain HTTP is for. */
  readonly proxies?: readonly string[];
  /** An address of its own for metrics. */
  readonly metrics?: { readonly host: string; readonly port: number };
  /** How many supernodes in members' desktop apps the list takes; without it, none. */
  readonly desktopSupernodes?: number;
  /** What supernodes enrol with; without it, the token in the data folder's keys file. */
  readonly enrolmentToken?: string;
  readonly log?: Logger;
  readonly now?: () => number;
  readonly rates?: Partial<RateOptions>;
  readonly attachTimeoutMs?: number;
  /** How often an instance that shares its database looks there for changes that it was not told of. */
  readonly catchUpIntervalMs?: number;
}

export interface LoginServer {
  readonly url: string;
  readonly port: number;
  readonly networkId: NetworkId;
  /** The first one. */
  readonly networkKey: Uint8Array;
  /** Of the newest key. */
  readonly fingerprint: NetworkId;
  readonly enrolmentToken: string;
  /** Makes whoever uses it first the administrator; null once there is somebody, or an invitation was made before. */
  readonly firstInvitation: IssuedLink | null;
  /** Where the metrics are; null without them. */
  readonly metricsUrl: string | null;
  /** Ends all sessions and closes the database. */
  close(): Promise<void>;
}

/** What is being answered when the server is told to end may take this long. */
const CLOSING_GRACE_MS = 2_000;
const FIRST_INVITATION_DAYS = 7;

/**
 * Opens the data folder and listens.
 * @throws KithError `port-in-use`, `option-invalid`, or what openDataFolder throws; nothing stays open then
 */
export async function startLoginServer(options: LoginServerOptions): Promise<LoginServer> {
  const now = options.now ?? Date.now;
  const log = options.log ?? pino({ enabled: false });
  const host = options.listen ?? "127.0.0.1";
  const name = options.name ?? "Kith";
  const tls = options.tls ? readTlsFiles(options.tls) : null;
  const proxies = options.proxies ? new TrustedProxies(options.proxies) : null;
  await opaque.ready;
  const data = await openDataFolder(options.dataFolder, now, options.database);
  /** Undone in reverse, whether the server ends or does not come up. */
  const closers: (() => unknown)[] = [() => data.close()];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const { keys } = data;
    const ring = await openRing(data, now());
    let url = "";
    const publicUrl = () => options.publicUrl ?? url;
    const enrolmentToken = options.enrolmentToken ?? keys.enrolmentToken;
    const redis = options.redis === undefined ? null : connectRedis(options.redis, keys.networkId, log);
    if (redis) closers.push(() => redis.close());
    const services = loginServices({
      data,
      ring,
      others: redis ?? NO_OTHERS,
      catchUpIntervalMs: options.catchUpIntervalMs ?? CATCH_UP_INTERVAL_MS,
      enrolmentToken,
      publicUrl,
      mode: options.registration ?? "invitation",
      rates: options.rates ?? {},
      desktopSupernodes: options.desktopSupernodes ?? 0,
      log,
      now,
    });
    const { authority, metrics, limits, administration } = services;
    closers.push(() => services.close());
    const landing = {
      networkName: name,
      networkId: keys.networkId,
      fingerprint: () => ring.fingerprint,
      publicUrl,
      downloadUrl: options.downloadUrl ?? null,
    };
    const http = httpServer({
      routes: loginRoutes({ name, now, ...services }),
      page: async (path) => landingPage(path, landing) ?? (await healthPage(path, data.storage.db)),
      tls,
      proxies,
      log,
      answered: metrics.answered,
    });
    const attachTimeoutMs = options.attachTimeoutMs ?? TIMES.attachTimeoutMs;
    const endpoint = sessionEndpoint(http, {
      ...services,
      limits,
      log,
      attachTimeoutMs,
      proxies,
      adapter: redis?.adapter ?? null,
    });
    redis?.attach(endpoint, { heard: services.heard, reconnected: services.catchUp });
    closers.push(async () => {
      const impatience = setTimeout(() => http.closeAllConnections(), CLOSING_GRACE_MS);
      await endpoint.close();
      clearTimeout(impatience);
    });
    const port = await listen(http, host, options.port ?? 0, "--listen");
    url = `${tls ? "https" : "http"}://${authorityOf({ host, port })}`;
    if (options.tls && tls && http instanceof SecureServer) closers.push(followTlsFiles(options.tls, tls, http, log));
    closers.push(await openAdminEndpoint(options.dataFolder, { ...services, log }));
    const metricsUrl = options.metrics ? await openMetrics(options.metrics) : null;
    const firstInvitation = (await services.isUntouched())
      ? await administration.invite(
          { uses: 1, days: FIRST_INVITATION_DAYS, note: "the first administrator", administrator: true, handle: null },
          HOST,
        )
      : null;
    log.info({ port, networkId: keys.networkId }, "listening");
    closers.push(() => log.info("closing"));

    async function openMetrics(place: { readonly host: string; readonly port: number }): Promise<string> {
      const page = async (path: string) =>
        (await metricsPage(path, metrics)) ?? (await healthPage(path, data.storage.db));
      const server = httpServer({ routes: [], page, tls: null, proxies: null, log });
      const bound = await listen(server, place.host, place.port, "--metrics");
      closers.push(() => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      });
      return `http://${authorityOf({ host: place.host, port: bound })}/metrics`;
    }

    let closing: Promise<void> | null = null;
    return {
      url,
      port,
      networkId: keys.networkId,
      networkKey: authority.networkKey,
      fingerprint: ring.fingerprint,
      enrolmentToken,
      firstInvitation,
      metricsUrl,
      close: () => {
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** @throws KithError `network-key-missing` where this instance could not sign */
async function openRing({ keys, storage, keepSuccessor }: OpenData, now: number): Promise<KeyRing> {
  const ring = new KeyRing(keys, keepSuccessor);
  await ring.load(storage.db, now);
  await ring.forgetSealed(storage.db, now);
  ring.pairAt(Number.MAX_SAFE_INTEGER);
  return ring;
}

function listen(http: HttpServer, host: string, port: number, option: string): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new KithError("port-in-use", { port }, { cause: error })
          : new KithError("option-invalid", { option, why: error.message }, { cause: error }),
      );
    });
    http.listen(port, host, () => resolve((http.address() as AddressInfo).port));
  });
}
