/** Puts the login server together and makes it listen. */

import type { Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as opaque from "@serenity-kit/opaque";
import { type Logger, pino } from "pino";
import { authority as authorityOf } from "../protocol/certificate.ts";
import { KithError } from "../protocol/errors.ts";
import type { NetworkId } from "../protocol/identifiers.ts";
import { TIMES } from "../protocol/limits.ts";
import { BuddyLists } from "./buddy-lists.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { openDataFolder } from "./data-folder.ts";
import { Devices } from "./devices.ts";
import { Enrolment } from "./enrolment.ts";
import { loginRoutes } from "./http-routes.ts";
import { httpServer } from "./http-server.ts";
import { Login } from "./login.ts";
import { DEFAULT_RATES, type RateOptions, rateLimits } from "./rate-limits.ts";
import { Registration, type RegistrationMode } from "./registration.ts";
import { sessionEndpoint } from "./session-endpoint.ts";
import { Sessions } from "./sessions.ts";
import { SupernodeRegister } from "./supernode-register.ts";

export interface LoginServerOptions {
  readonly dataFolder: string;
  /** Address to listen on; loopback unless told otherwise. */
  readonly listen?: string;
  /** 0 picks a free one. */
  readonly port?: number;
  /** What people see as the name of the network. */
  readonly name?: string;
  readonly registration?: RegistrationMode;
  /** What supernodes enrol with; without it, the token in the data folder's keys file. */
  readonly enrolmentToken?: string;
  readonly log?: Logger;
  readonly now?: () => number;
  readonly rates?: Partial<RateOptions>;
  readonly attachTimeoutMs?: number;
}

export interface LoginServer {
  readonly url: string;
  readonly port: number;
  readonly networkId: NetworkId;
  readonly networkKey: Uint8Array;
  readonly enrolmentToken: string;
  /** Ends all sessions and closes the database. */
  close(): Promise<void>;
}

/** What is being answered when the server is told to end may take this long. */
const CLOSING_GRACE_MS = 2_000;

/**
 * Opens the data folder and listens.
 * @throws KithError `port-in-use`, `option-invalid`, or what openDataFolder throws; nothing stays open then
 */
export async function startLoginServer(options: LoginServerOptions): Promise<LoginServer> {
  const now = options.now ?? Date.now;
  const log = options.log ?? pino({ enabled: false });
  await opaque.ready;
  const data = await openDataFolder(options.dataFolder, now);
  const { keys } = data;
  const { db } = data.storage;
  const limits = rateLimits({ ...DEFAULT_RATES, ...options.rates }, now);
  const authority = new CertificateAuthority(keys, now);
  const devices = new Devices({ db, authority, now });
  const sessions = new Sessions({
    delta: (owner, since) => buddyLists.delta(owner, since),
    fault: (what, error) => log.error({ what, err: error }, "internal"),
  });
  const buddyLists = new BuddyLists({ db, changed: (owner) => sessions.listChanged(owner) });
  const enrolmentToken = options.enrolmentToken ?? keys.enrolmentToken;
  const register = new SupernodeRegister({
    db,
    authority,
    now,
    published: (revision) => sessions.supernodesChanged(revision),
    fault: (error) => log.error({ what: "supernode list", err: error }, "internal"),
  });
  const { opaqueSetup } = keys;
  const http = httpServer(
    loginRoutes({
      name: options.name ?? "Kith",
      authority,
      registration: new Registration({
        db,
        authority,
        devices,
        opaqueSetup,
        mode: options.registration ?? "open",
        now,
      }),
      login: new Login({ db, devices, opaqueSetup, now }),
      enrolment: new Enrolment({ db, authority, token: enrolmentToken, now }),
      register,
      sessions,
      limits,
      now,
    }),
    log,
  );
  const attachTimeoutMs = options.attachTimeoutMs ?? TIMES.attachTimeoutMs;
  const endpoint = sessionEndpoint(http, { authority, devices, buddyLists, sessions, limits, log, attachTimeoutMs });
  const host = options.listen ?? "127.0.0.1";
  let port: number;
  try {
    port = await listen(http, host, options.port ?? 0);
  } catch (error) {
    register.close();
    await endpoint.close();
    await data.close();
    throw error;
  }
  log.info({ port, networkId: keys.networkId }, "listening");

  const closeAll = async () => {
    register.close();
    const impatience = setTimeout(() => http.closeAllConnections(), CLOSING_GRACE_MS);
    await endpoint.close();
    clearTimeout(impatience);
    await data.close();
    log.info("closed");
  };
  let closing: Promise<void> | null = null;
  return {
    url: `http://${authorityOf({ host, port })}`,
    port,
    networkId: keys.networkId,
    networkKey: authority.networkKey,
    enrolmentToken,
    close: () => {
      closing ??= closeAll();
      return closing;
    },
  };
}

function listen(http: HttpServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    http.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new KithError("port-in-use", { port }, { cause: error })
          : new KithError("option-invalid", { option: "--listen", why: error.message }, { cause: error }),
      );
    });
    http.listen(port, host, () => resolve((http.address() as AddressInfo).port));
  });
}
