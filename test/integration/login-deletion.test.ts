import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as opaque from "@serenity-kit/opaque";
import { expect, test } from "vitest";
import { administrate } from "../../login-server/administration/admin-cli.ts";
import {
  codeOf,
  handle,
  login,
  loginProof,
  loginStart,
  newUser,
  post,
  register,
  registrationBody,
  type TestUser,
} from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";

const servers = loginServers();

async function adminJson(dataFolder: string, ...args: string[]): Promise<Record<string, unknown>> {
  let written = "";
  await administrate(["--data", dataFolder, "--json", ...args], {}, (text) => {
    written += text;
  });
  return JSON.parse(written) as Record<string, unknown>;
}

const textOf = (answer: { body: unknown }, field: string) => String((answer.body as Record<string, unknown>)[field]);

/** What proves the password to one request. */
async function proofOf(url: string, user: Pick<TestUser, "handle" | "password">) {
  const start = await loginStart(url, user.handle, user.password);
  const proof = loginProof(start, user.password);
  if (!proof) throw new Error("wrong-password");
  return { attempt: textOf(start.answer, "attempt"), request: proof.finishLoginRequest };
}

/** Everything in the files of a server that runs, or in its database. */
async function everythingOf(dataFolder: string): Promise<string> {
  const files = ["login.db", "login.db-wal"].map((name) => join(dataFolder, name)).filter((path) => existsSync(path));
  if (files.length === 0) return servers.stored(dataFolder);
  return files.map((path) => readFileSync(path, "latin1")).join("");
}

test("of a deleted account nothing is left in the files", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const user = newUser("zeppelina");
  const { body } = await registrationBody(url, user);
  const made = await post(url, "/v1/register/finish", { ...body, deviceName: "the airship of Z." });
  expect(codeOf(made)).toBe("ok");
  const certificate = new Uint8Array(Buffer.from(textOf(made, "certificate"), "base64"));
  const session = await servers.open(url, { ...user, certificate, exportKey: "" });
  await register(url, "bob");
  await session.call("requestBuddy", { handle: handle("bob"), greeting: "Hello from above the clouds" });
  await adminJson(dataFolder, "reset", "zeppelina");
  await adminJson(dataFolder, "promote", "zeppelina");
  await adminJson(dataFolder, "demote", "zeppelina");

  const traces = ["zeppelina", "the airship of Z.", "above the clouds", body.record];
  const before = await everythingOf(dataFolder);
  for (const trace of traces) expect(before).toContain(trace);
  expect(codeOf(await post(url, "/v1/account/delete", await proofOf(url, user)))).toBe("ok");
  const after = await everythingOf(dataFolder);
  for (const trace of traces) expect(after).not.toContain(trace);
  const { invitations } = await adminJson(dataFolder, "invitations");
  expect(JSON.stringify(invitations)).not.toContain("zeppelina");
});

test("accounts that are deleted while others are made are deleted without a fault, and their sessions end", async () => {
  const { url } = await servers.start();
  const leaving = await Promise.all(["ann", "ben", "cleo", "dirk", "eve"].map((name) => register(url, name)));
  const sessions = await Promise.all(leaving.map((user) => servers.open(url, user)));
  const proofs = await Promise.all(leaving.map((user) => proofOf(url, user)));
  const coming = ["fred", "gina", "hans", "ines", "john"].map((name) => register(url, name));
  const answers = await Promise.all(proofs.map((proof) => post(url, "/v1/account/delete", proof)));
  expect(answers.map(codeOf)).toEqual(leaving.map(() => "ok"));
  await Promise.all(sessions.map((session) => session.closed()));
  await Promise.all(coming);
});

test("what was proved before a handle was given anew touches nothing of whoever has it then", async () => {
  const dataFolder = servers.folder();
  const { url } = await servers.start({ dataFolder });
  const former = await register(url, "alice");
  const toSignIn = await proofOf(url, former);
  const toDelete = await proofOf(url, former);
  const { registrationRequest } = opaque.client.startRegistration({ password: "another one" });
  const begun = await post(url, "/v1/password/prove", {
    ...(await proofOf(url, former)),
    registration: registrationRequest,
  });
  expect(codeOf(begun)).toBe("ok");

  const { token } = await adminJson(dataFolder, "reset", "alice");
  const invitation = String(token);
  const present = newUser("alice", "the new owner's");
  const { body } = await registrationBody(url, present, invitation);
  expect(codeOf(await post(url, "/v1/register/finish", { ...body, invitation }))).toBe("ok");

  const change = { change: textOf(begun, "change"), record: body.record, vault: body.vault };
  expect(codeOf(await post(url, "/v1/password/finish", change))).toBe("login-attempt-over");
  const device = { deviceId: former.deviceId, deviceName: "d" };
  expect(codeOf(await post(url, "/v1/login/finish", { ...toSignIn, ...device }))).toBe("wrong-password");
  expect(codeOf(await post(url, "/v1/account/delete", toDelete))).toBe("no-such-user");
  expect((await login(url, "alice", "the new owner's")).userId).toBe(present.userId);
});
