/** The parts behind the login server's ports, built and connected; none of them knows of a port. */
import type { Logger } from "pino";
import type { RegistrationMode } from "../protocol/login-api.ts";
import { AccountMethods } from "./account-methods.ts";
import { Accounts, type Departure } from "./accounts.ts";
import { Administration } from "./administration.ts";
import { AuditLog } from "./audit-log.ts";
import { BuddyLists } from "./buddy-lists.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import type { OpenData } from "./data-folder.ts";
import { Devices } from "./devices.ts";
import { Enrolment } from "./enrolment.ts";
import { Invitations } from "./invitations.ts";
import { KeyLog } from "./key-log/key-log.ts";
import { Revocations } from "./key-log/revocations.ts";
import { Login } from "./login.ts";
import { Metrics } from "./metrics.ts";
import { PasswordChange } from "./password-change.ts";
import { PasswordGuesses } from "./password-guesses.ts";
import { DEFAULT_RATES, type RateOptions, rateLimits } from "./rate-limits.ts";
import { Registration } from "./registration.ts";
import { Sessions } from "./sessions.ts";
import { SupernodeRegister } from "./supernode-register.ts";

export interface ServiceOptions {
  readonly data: OpenData;
  readonly enrolmentToken: string;
  readonly publicUrl: () => string;
  readonly mode: RegistrationMode;
  readonly rates: Partial<RateOptions>;
  readonly log: Logger;
  readonly now: () => number;
}

export type LoginServices = ReturnType<typeof loginServices>;

export function loginServices({ data, enrolmentToken, publicUrl, mode, rates, log, now }: ServiceOptions) {
  const { keys, storage } = data;
  const { db } = storage;
  const { opaqueSetup } = keys;
  const limits = rateLimits({ ...DEFAULT_RATES, ...rates }, now);
  const authority = new CertificateAuthority(keys, now);
  const keyLog = new KeyLog({
    db,
    authority,
    now,
    fault: (error) => log.error({ what: "key log", err: error }, "internal"),
  });
  const devices = new Devices({ db, authority, issued: () => keyLog.issued(), now });
  const sessions = new Sessions({
    delta: (owner, since) => buddyLists.delta(owner, since),
    fault: (what, error) => log.error({ what, err: error }, "internal"),
  });
  const buddyLists = new BuddyLists({ db, changed: (owner) => sessions.listChanged(owner) });
  const register = new SupernodeRegister({
    db,
    authority,
    now,
    published: (revision) => sessions.supernodesChanged(revision),
    fault: (error) => log.error({ what: "supernode list", err: error }, "internal"),
  });
  const departed = ({ signedOut, listsChanged }: Departure) => {
    for (const device of signedOut) sessions.signOut(device);
    for (const owner of listsChanged) sessions.listChanged(owner);
  };
  const audit = new AuditLog(db, now);
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
  const { networkId } = keys;
  const administration = new Administration({
    db,
    accounts,
    devices,
    invitations,
    sessions,
    register,
    audit,
    networkId,
    publicUrl,
    startedAt: now(),
    now,
  });
  const guesses = new PasswordGuesses(limits.loginAccount);
  const login = new Login({ db, devices, opaqueSetup, guesses, now });
  const passwords = new PasswordChange({ db, authority, login, audit, opaqueSetup, now });
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
    limits,
    login,
    passwords,
    accountMethods: new AccountMethods({ accounts, administration, devices, sessions, passwords, db }),
    enrolment: new Enrolment({ db, authority, token: enrolmentToken, now }),
    metrics: new Metrics(sessions),
    /** Nobody has an account, and nobody was ever invited. */
    isUntouched: async (): Promise<boolean> => {
      const account = await db.selectFrom("accounts").select("user_id").limit(1).executeTakeFirst();
      const invitation = await db.selectFrom("invitations").select("invitation_id").limit(1).executeTakeFirst();
      return !account && !invitation;
    },
  };
}
