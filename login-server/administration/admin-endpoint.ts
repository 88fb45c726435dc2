/**
 * The port that the command line talks to: on loopback, and for those alone who can read the data folder, where a
 * fresh token lies for as long as the server runs.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Logger } from "pino";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Invitations } from "../accounts/invitations.ts";
import { type Endpoint, httpServer, type Route, route } from "../http/http-server.ts";
import type { KeyRotation } from "../keys/key-rotation.ts";
import { ADMIN_API, ADMIN_FILE, type AdminApi } from "./admin-api.ts";
import { type Administration, HOST } from "./administration.ts";
import type { AuditLog } from "./audit-log.ts";

interface AdminParts {
  readonly administration: Administration;
  readonly accounts: Accounts;
  readonly invitations: Invitations;
  readonly audit: AuditLog;
  readonly keyRotation: KeyRotation;
  readonly log: Logger;
}

type Handlers = {
  readonly [K in keyof AdminApi]: (input: z.infer<AdminApi[K]["input"]>) => Promise<z.infer<AdminApi[K]["output"]>>;
};

/** @returns closes the port and removes the token */
export async function openAdminEndpoint(dataFolder: string, parts: AdminParts): Promise<() => Promise<void>> {
  const token = randomBytes(32).toString("hex");
  const server = httpServer({ routes: adminRoutes(parts, token), tls: null, proxies: null, log: parts.log });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const path = join(dataFolder, ADMIN_FILE);
  try {
    // A file of before may be anybody's to read: it is made anew.
    rmSync(path, { force: true });
    writeFileSync(path, `${JSON.stringify({ url: `http://127.0.0.1:${port}`, token })}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    server.close();
    throw new KithError("data-folder-unwritable", { path }, { cause: error });
  }
  return async () => {
    rmSync(path, { force: true });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
}

function adminRoutes(parts: AdminParts, token: string): Route[] {
  const { administration, accounts, invitations, audit, keyRotation } = parts;
  const done = {};
  const handlers: Handlers = {
    users: async ({ standing, after, limit }) => ({ users: await accounts.list(standing, after, limit) }),
    user: ({ handle }) => administration.user(handle),
    block: ({ handle }) => accounts.block(handle, HOST.name).then(() => done),
    unblock: ({ handle }) => accounts.unblock(handle, HOST.name).then(() => done),
    approve: ({ handle }) => accounts.approve(handle, HOST.name).then(() => done),
    decline: ({ handle }) => accounts.decline(handle, HOST.name).then(() => done),
    signOut: ({ handle }) => accounts.signOutAll(handle, HOST.name).then(() => done),
    delete: ({ handle }) => accounts.delete(handle, HOST.name).then(() => done),
    promote: ({ handle }) => accounts.setRole(handle, "administrator", HOST.name).then(() => done),
    demote: ({ handle }) => accounts.setRole(handle, "member", HOST.name).then(() => done),
    reset: ({ handle }) => administration.reset(handle, HOST),
    invitations: async () => ({
      invitations: (await invitations.list()).map((row) => ({
        invitationId: row.invitation_id,
        role: row.role,
        handle: row.for_handle,
        uses: row.max_uses,
        usesLeft: row.uses_left,
        note: row.note,
        createdBy: row.created_by,
        createdAt: row.created_at,
        expiresAt: row.expires_at,
      })),
    }),
    invite: (draft) => administration.invite(draft, HOST),
    revokeInvitation: ({ invitationId }) => administration.revokeInvitation(invitationId, HOST).then(() => done),
    supernodes: () => administration.supernodes(),
    removeSupernode: ({ supernodeId }) => administration.removeSupernode(supernodeId, HOST),
    replaceEnrolmentToken: () => administration.replaceEnrolmentToken(HOST),
    networkKey: async () => keyRotation.show(),
    rotateNetworkKey: (change) => keyRotation.rotate(change, HOST),
    statistics: () => administration.statistics(),
    audit: async ({ limit }) => ({
      entries: (await audit.latest(limit)).map(({ at, actor, action, subject, details }) => ({
        at,
        actor,
        action,
        subject,
        details,
      })),
    }),
  };
  return (Object.keys(ADMIN_API) as (keyof AdminApi)[]).map((name) => {
    const handler = handlers[name] as (input: unknown) => Promise<unknown>;
    const endpoint: Endpoint<z.ZodType, z.ZodType> = ADMIN_API[name];
    const { verb, path, answer } = route(endpoint, handler);
    return {
      verb,
      path,
      answer: (body, caller) => {
        if (!isToken(caller.authorization, token)) throw new KithError("administrator-only");
        return answer(body, caller);
      },
    };
  });
}

/** Compared as hashes, so that neither the length nor the first difference shows in the time. */
function isToken(authorization: string, token: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(authorization), hash(`Bearer ${token}`));
}
