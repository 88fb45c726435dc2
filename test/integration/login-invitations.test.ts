import { expect, test } from "vitest";
import type { z } from "zod";
import { ADMIN_API, type AdminApi } from "../../login-server/administration/admin-api.ts";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { askAdmin } from "../support/admin-client.ts";
import { codeOf, get, login, newUser, post, registrationBody } from "../support/login-api-client.ts";
import { DAY_MS, loginServers, TestClock } from "../support/login-server-fixture.ts";

const servers = loginServers();
const FINISH = "/v1/register/finish";
type Draft = z.input<AdminApi["invite"]["input"]>;

async function invite(folder: string, draft: Partial<Draft> = {}): Promise<string> {
  const whole = { uses: 1, days: 7, note: "", administrator: false, handle: null, ...draft };
  return (await askAdmin(folder, ADMIN_API.invite, whole)).token;
}

/** The server's answer to a finish that did all before it with a fresh invitation of its own. */
async function joinWith(url: string, handle: string, invitation?: string) {
  const { body } = await registrationBody(url, newUser(handle), invitation);
  return post(url, FINISH, invitation === undefined ? body : { ...body, invitation });
}
const tokenOf = (server: LoginServer) => server.firstInvitation?.token ?? "none";

test("without being told otherwise a network takes members by invitation only", async () => {
  const server = await startLoginServer({ dataFolder: servers.folder() });
  servers.adopt(server);
  const { url } = server;
  expect((await get(url, "/v1/network")).body.registration).toBe("invitation");
  const start = await post(url, "/v1/register/start", { handle: "alice", request: "AAAA" });
  expect([start.status, codeOf(start)]).toEqual([403, "invitation-needed"]);
});

test("the first start alone makes an invitation, and who uses it becomes the administrator", async () => {
  const dataFolder = servers.folder();
  const first = await servers.start({ dataFolder, registration: "invitation" });
  expect(first.firstInvitation?.link).toBe(`${first.url}/i/${tokenOf(first)}`);
  expect(codeOf(await joinWith(first.url, "alice", tokenOf(first)))).toBe("ok");
  const { user } = await askAdmin(dataFolder, ADMIN_API.user, { handle: "alice" });
  expect(user).toMatchObject({ role: "administrator", standing: "active" });
  await first.close();
  expect((await servers.start({ dataFolder })).firstInvitation).toBeNull();
});

test("a start that was never used before the next makes no second invitation", async () => {
  const dataFolder = servers.folder();
  await (await servers.start({ dataFolder })).close();
  expect((await servers.start({ dataFolder })).firstInvitation).toBeNull();
});

test("of many who use an invitation at once exactly its number get in", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "invitation" });
  const invitation = await invite(dataFolder, { uses: 3 });
  const bodies = await Promise.all(
    ["anna", "bert", "cora", "dora", "emil", "fred"].map(
      async (handle) => (await registrationBody(url, newUser(handle), invitation)).body,
    ),
  );
  const answers = await Promise.all(bodies.map((body) => post(url, FINISH, { ...body, invitation })));
  expect(answers.map(codeOf).sort()).toEqual([...Array(3).fill("invitation-invalid"), ...Array(3).fill("ok")]);
  const { users } = await askAdmin(dataFolder, ADMIN_API.users, { standing: null, after: "", limit: 10 });
  expect(users).toHaveLength(3);
});

test("the same request again, after a lost answer, uses no second place", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "invitation" });
  const invitation = await invite(dataFolder, { uses: 2 });
  const { body } = await registrationBody(url, newUser("alice"), invitation);
  for (const _ of [1, 2, 3]) expect(codeOf(await post(url, FINISH, { ...body, invitation }))).toBe("ok");
  expect(codeOf(await joinWith(url, "bob", invitation))).toBe("ok");
});

test("what is refused for another reason uses no place either", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "invitation" });
  const invitation = await invite(dataFolder);
  const { body } = await registrationBody(url, newUser("alice"), invitation);
  expect(codeOf(await post(url, FINISH, { ...body, invitation, proof: Buffer.alloc(64).toString("base64") }))).toBe(
    "signature-invalid",
  );
  expect(codeOf(await post(url, FINISH, { ...body, invitation }))).toBe("ok");
});

test.each(["expired", "withdrawn", "never made"])("one that is %s lets nobody in", async (why) => {
  const clock = new TestClock();
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "invitation", now: clock.now });
  const invitation = why === "never made" ? "x".repeat(32) : await invite(dataFolder, { days: 7 });
  if (why === "expired") clock.advance(7 * DAY_MS);
  if (why === "withdrawn") {
    const { invitations } = await askAdmin(dataFolder, ADMIN_API.invitations, {});
    for (const { invitationId } of invitations) {
      await askAdmin(dataFolder, ADMIN_API.revokeInvitation, { invitationId });
    }
  }
  const start = await post(url, "/v1/register/start", { handle: "alice", request: "AAAA", invitation });
  expect([start.status, codeOf(start)]).toEqual([403, "invitation-invalid"]);
});

test("what lets people in is nowhere in what the server has stored", async () => {
  const dataFolder = servers.folder();
  const server = await servers.start({ dataFolder });
  const invitation = await invite(dataFolder);
  await server.close();
  const stored = await servers.stored(dataFolder);
  for (const token of [invitation, tokenOf(server)]) expect(stored).not.toContain(token);
});

test("with approval an account waits until somebody lets it in, and is told so", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "approval" });
  const refused = await joinWith(url, "alice");
  expect([refused.status, codeOf(refused)]).toEqual([403, "approval-pending"]);
  await expect(login(url, "alice", "secret of alice")).rejects.toThrow("approval-pending");
  await askAdmin(dataFolder, ADMIN_API.approve, { handle: "alice" });
  expect((await login(url, "alice", "secret of alice")).handle).toBe("alice");
});

test("who is declined is gone, and the handle is free for the next", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "approval" });
  await joinWith(url, "alice");
  await askAdmin(dataFolder, ADMIN_API.decline, { handle: "alice" });
  await expect(login(url, "alice", "secret of alice")).rejects.toThrow("wrong-password");
  expect(codeOf(await joinWith(url, "alice"))).toBe("approval-pending");
});

test("who has an invitation need not wait", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder, registration: "approval" });
  expect(codeOf(await joinWith(url, "alice", await invite(dataFolder)))).toBe("ok");
});

test("nobody gets a handle that looks like a taken one, not even at the same moment", async () => {
  const { url } = await servers.start();
  const bodies = await Promise.all(
    ["bill", "bi11", "b1ll"].map(async (handle) => (await registrationBody(url, newUser(handle))).body),
  );
  const answers = await Promise.all(bodies.map((body) => post(url, FINISH, body)));
  expect(answers.map(codeOf).sort()).toEqual(["handle-look-alike", "handle-look-alike", "ok"]);
  const start = await post(url, "/v1/register/start", { handle: "bil1", request: "AAAA" });
  expect([start.status, codeOf(start)]).toEqual([409, "handle-look-alike"]);
});

test("reserved handles are the host's to give", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const start = await post(url, "/v1/register/start", { handle: "adm1n", request: "AAAA" });
  expect([start.status, codeOf(start)]).toEqual([409, "handle-reserved"]);
  expect(codeOf(await joinWith(url, "admin", await invite(dataFolder, { administrator: true })))).toBe("ok");
});
