/** The parts behind the login server's ports, built and connected; none of them knows of a port. */
import type { Logger } from "pino";
import type { RegistrationMode } from "../protocol/login-api.ts";
import { AccountMethods } from "./accounts/account-methods.ts";
import { Accounts, type Departure } from "./accounts/accounts.ts";
import { Devices } from "./accounts/devices.ts";
import { Invitations } from "./accounts/invitations.ts";
import { Login } from "./accounts/login.ts";
import { type AttemptStores, Attempts } from "./accounts/login-attempts.ts";
import { PasswordChange } from "./accounts/password-change.ts";
import { PasswordGuesses } from "./accounts/password-guesses.ts";
import { Registration } from "./accounts/registration.ts";
import { Sessions } from "./accounts/sessions.ts";
import { Administration } from "./administration/administration.ts";
import { AuditLog } from "./administration/audit-log.ts";
import { BuddyLists } from "./buddies/buddy-lists.ts";
import type { OpenData } from "./data-folder.ts";
import { CatchUp } from "./instances/catch-up.ts";
import { databaseAttempts } from "./instances/database-attempts.ts";
import type { Instances, News } from "./instances/news.ts";
import { SharedRates } from "./instances/shared-rates.ts";
import { KeyLog } from "./key-log/key-log.ts";
import { Revocations } from "./key-log/revocations.ts";
import { CertificateAuthority } from "./keys/certificate-authority.ts";
import type { KeyRing } from "./keys/key-ring.ts";
import { KeyRotation } from "./keys/key-rotation.ts";
import { Admission } from "./limits/admission.ts";
import { DEFAULT_RATES, type RateOptions, rateLimits } from "./limits/rate-limits.ts";
import { Metrics } from "./metrics.ts";
import { DesktopSupernodes } from "./supernodes/desktop-supernodes.ts";
import { Enrolment } from "./supernodes/enrolment.ts";
import { EnrolmentTokens } from "./supernodes/enrolment-tokens.ts";
import { SupernodeRegister } from "./supernodes/supernode-register.ts";
import { SupernodeReports } from "./supernodes/supernode-reports.ts";

export interface ServiceOptions {
  readonly data: OpenData;
  readonly ring: KeyRing;
  readonly enrolmentToken: string;
  readonly publicUrl: () => string;
  readonly mode: RegistrationMode;
  readonly rates: Partial<RateOptions>;
  readonly others: Instances;
  readonly catchUpIntervalMs: number;
  /** How many supernodes in members' desktop apps the list takes. */
  readonly desktopSupernodes: number;
  readonly log: Logger;
  readonly now: () => number;
}

export type LoginServices = ReturnType<typeof loginServices>;

export function loginServices(options: ServiceOptions) {
  const { data, ring, enrolmentToken, publicUrl, mode, rates, desktopSupernodes, others, log, now } = options;
  const { keys, storage } = data;
  const { db } = storage;
  const { opaqueSetup } = keys;
  const admission = new Admission({ elapsed: () => performance.now(), random: Math.random });
  const isShared = storage.engine === "postgres";
  const sharedRates = new SharedRates(others, opaqueSetup);
  const limits = rateLimits({ ...DEFAULT_RATES, ...rates }, now, isShared ? sharedRates.sharing : undefined);
  const shared = isShared ? databaseAttempts(db, now) : null;
  const attempts: AttemptStores = shared?.stores ?? (() => new Attempts(now));
  const authority = new CertificateAuthority(keys, now, ring);
  const keyLog = new KeyLog({
    db,
    authority,
    now,
    fault: (error) => log.error({ what: "key log", err: error }, "internal"),
  });
  const devices = new Devices({ db, authority, issued: () => keyLog.issued(), now });
  const sessions = new Sessions({
    delta: (owner, since) => buddyLists.delta(owner, since),
    others,
    fault: (what, error) => log.error({ what, err: error }, "internal"),
  });
  const buddyLists = new BuddyLists({ db, changed: (owner) => sessions.listChanged(owner) });
  const register = new SupernodeRegister({
    db,
    authority,
    now,
    published: (revision, madeHere) => {
      sessions.supernodesChanged(revision);
      if (madeHere) others.tell({ kind: "supernodes" });
    },
    fault: (error) => log.error({ what: "supernode list", err: error }, "internal"),
  });
  const catchUp = isShared
    ? new CatchUp({
        db,
        sessions,
        intervalMs: options.catchUpIntervalMs,
        refreshNetwork: () => lookAgain(),
        fault: (error) => log.error({ what: "changes by other instances", err: error }, "internal"),
      })
    : null;
  const desktop = new DesktopSupernodes({
    db,
    maximum: desktopSupernodes,
    tickets: limits.supernodeTicket,
    changed: () => register.changed(),
    now,
  });
  const departed = async ({ signedOut, listsChanged, isErasure }: Departure) => {
    for (const device of signedOut) sessions.signOut(device);
    for (const owner of listsChanged) sessions.listChanged(owner);
    // The account is gone by now, whatever comes of this.
    if (isErasure)
      await storage.scrub().catch((error: unknown) => log.error({ what: "scrubbing", err: error }, "internal"));
  };
  const audit = new AuditLog(db, now);
  const keyRotation = new KeyRotation({
    db,
    ring,
    audit,
    keepSuccessor: data.keepSuccessor,
    announced: (madeHere) => {
      sessions.networkKeysChanged(authority.successions);
      keyLog.issued();
      register.changed();
      if (madeHere) others.tell({ kind: "network-keys" });
    },
    fault: (error) => log.error({ what: "network keys", err: error }, "internal"),
    now,
  });
  const lookAgain = () => {
    register.lookAgain();
    keyRotation.lookAgain().catch((error: unknown) => log.error({ what: "network keys", err: error }, "internal"));
  };
  const invitations = new Invitations(db, now);
  const accounts = new Accounts({ db, audit, departed });
  const registration = new Registration({
    db,
    authority,
    devices,
    invitations,
    accounts,
    audit,
    opaqueSetup,
    mode,
    departed,
    now,
  });
  const tokens = new EnrolmentTokens(enrolmentToken);
  const administration = new Administration({
    db,
    accounts,
    devices,
    invitations,
    sessions,
    register,
    tokens,
    audit,
    authority,
    publicUrl,
    startedAt: now(),
    now,
  });
  const guesses = new PasswordGuesses(limits.loginAccount);
  const login = new Login({ db, devices, opaqueSetup, guesses, attempts });
  const passwords = new PasswordChange({ db, authority, login, audit, opaqueSetup, attempts, now });
  return {
    authority,
    keyLog,
    revocations: new Revocations({ db, authority, now }),
    devices,
    sessions,
    buddyLists,
    register,
    audit,
    invitations,
    accounts,
    registration,
    administration,
    keyRotation,
    limits,
    admission,
    login,
    passwords,
    guesses,
    accountMethods: new AccountMethods({ accounts, administration, devices, sessions, passwords, db }),
    reports: new SupernodeReports({ db, authority, heard: () => register.changed(), now }),
    enrolment: new Enrolment({ db, authority, tokens, desktop, now }),
    desktop,
    metrics: new Metrics(sessions),
    /** What another instance has told. */
    heard(news: News): void {
      if (news.kind === "account") catchUp?.account(news.userId);
      else if (news.kind === "session") sessions.movedAway(news);
      else if (news.kind === "supernodes" || news.kind === "network-keys") lookAgain();
      else if (isLimit(news.limit)) {
        for (const [key, times] of news.counts) limits[news.limit].takenElsewhere(key, times);
      }
    },
    /** News may have been lost. */
    catchUp: () => catchUp?.everything(),
    async close(): Promise<void> {
      register.close();
      admission.close();
      sharedRates.close();
      shared?.close();
      await catchUp?.close();
      await keyLog.close();
    },
    /** Nobody has an account, and nobody was ever invited. */
    isUntouched: async (): Promise<boolean> => {
      const account = await db.selectFrom("accounts").select("user_id").limit(1).executeTakeFirst();
      const invitation = await db.selectFrom("invitations").select("invitation_id").limit(1).executeTakeFirst();
      return !account && !invitation;
    },
  };
}

function isLimit(name: string): name is keyof RateOptions {
  return Object.hasOwn(DEFAULT_RATES, name);
}
