/** A small client of the login server's interface, written from docs/protocol.md: it shares no code with the app. */
import { createHash, randomBytes } from "node:crypto";
import * as opaque from "@serenity-kit/opaque";
import { io, type Socket } from "socket.io-client";
import nacl from "tweetnacl";
import type { z } from "zod";
import { concatBytes, fromHex, toHex, utf8 } from "../../protocol/bytes.ts";
import { DeviceId, Handle, UserId } from "../../protocol/identifiers.ts";
import { LOGIN_METHODS, LOGIN_PUSHES } from "../../protocol/login-api.ts";
import { loginSocketOptions } from "../../protocol/login-socket.ts";
import { nodeSignatures, type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";
import { type Caller, caller } from "../../protocol/rpc.ts";

type Pushes = typeof LOGIN_PUSHES;
export type PushName = keyof Pushes;

/** Argon2 at its cheapest: these tests are about the server, and the stretching is the client's. */
const KEY_STRETCHING = { "argon2id-custom": { iterations: 1, memory: 8, parallelism: 1 } };
const VAULT_NONCE_BYTES = 24;
const VAULT_PLAIN_BYTES = 96;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  // The body of whatever answered: each test looks at what it expects in it.
  readonly body: Record<string, unknown>;
}

/** Everything a person and their device hold; the login server must see none of the secrets. */
export interface TestUser {
  readonly userId: UserId;
  readonly handle: Handle;
  readonly password: string;
  readonly sign: SigningKeyPair;
  readonly box: nacl.BoxKeyPair;
  readonly profileKey: Uint8Array;
  readonly deviceId: DeviceId;
  readonly certificate: Uint8Array;
  readonly exportKey: string;
}

export async function request(url: string, verb: string, path: string, body?: unknown): Promise<HttpAnswer> {
  const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  const answer = await fetch(url + path, {
    method: verb,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    ...sent,
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
}

export const post = (url: string, path: string, body: unknown) => request(url, "POST", path, body);
export const get = (url: string, path: string) => request(url, "GET", path);

/** The code of an error answer, or `ok`. */
export function codeOf(answer: HttpAnswer): string {
  const error = answer.body.error as { code: string } | undefined;
  return error ? error.code : "ok";
}

function textOf(answer: HttpAnswer, field: string): string {
  const value = answer.body[field];
  if (typeof value !== "string") throw new Error(`no ${field} in ${JSON.stringify(answer.body)}`);
  return value;
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
export const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

export async function networkIdAt(url: string): Promise<string> {
  return textOf(await get(url, "/v1/network"), "networkId");
}

export function signStatement(domain: string, parts: readonly Uint8Array[], secretKey: Uint8Array): Uint8Array {
  return nodeSignatures.sign(concatBytes([utf8(`${domain}\0`), ...parts]), secretKey);
}

export function newDeviceId(): DeviceId {
  return DeviceId.parse(toHex(randomBytes(16)));
}

export const handle = (text: string): Handle => Handle.parse(text);

function userIdOf(signKey: Uint8Array): UserId {
  const hash = createHash("sha256").update("kith user 1\0").update(signKey).digest();
  return UserId.parse(toHex(hash.subarray(0, 20)));
}

/** A user with fresh keys who is nowhere registered yet. */
export function newUser(name: string, password = `secret of ${name}`): Omit<TestUser, "certificate" | "exportKey"> {
  const sign = signingKeyPair();
  return {
    userId: userIdOf(sign.publicKey),
    handle: handle(name),
    password,
    sign,
    box: nacl.box.keyPair(),
    profileKey: randomBytes(32),
    deviceId: newDeviceId(),
  };
}

function vaultKey(exportKey: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(Buffer.from(exportKey, "base64url")).digest());
}

function sealVault(user: Pick<TestUser, "sign" | "box" | "profileKey">, exportKey: string): Uint8Array {
  const plain = concatBytes([user.sign.secretKey.subarray(0, 32), user.box.secretKey, user.profileKey]);
  const nonce = randomBytes(VAULT_NONCE_BYTES);
  return concatBytes([nonce, nacl.secretbox(plain, nonce, vaultKey(exportKey))]);
}

function openVault(vault: Uint8Array, exportKey: string) {
  const plain = nacl.secretbox.open(
    vault.subarray(VAULT_NONCE_BYTES),
    vault.subarray(0, VAULT_NONCE_BYTES),
    vaultKey(exportKey),
  );
  if (plain?.length !== VAULT_PLAIN_BYTES) throw new Error("the vault does not open");
  return {
    sign: signingKeyPair(plain.subarray(0, 32)),
    box: nacl.box.keyPair.fromSecretKey(plain.subarray(32, 64)),
    profileKey: plain.subarray(64),
  };
}

/** The body of a register/finish that the server should accept, for tests to send or to spoil. */
export async function registrationBody(
  url: string,
  user: Omit<TestUser, "certificate" | "exportKey">,
  invitation?: string,
) {
  await opaque.ready;
  const networkId = await networkIdAt(url);
  const started = opaque.client.startRegistration({ password: user.password });
  const answer = await post(url, "/v1/register/start", {
    handle: user.handle,
    request: started.registrationRequest,
    ...(invitation === undefined ? {} : { invitation }),
  });
  if (codeOf(answer) !== "ok") throw new Error(codeOf(answer));
  const finished = opaque.client.finishRegistration({
    password: user.password,
    clientRegistrationState: started.clientRegistrationState,
    registrationResponse: textOf(answer, "response"),
    keyStretching: KEY_STRETCHING,
  });
  const vault = sealVault(user, finished.exportKey);
  const keyBinding = signStatement("kith key binding 1", [user.box.publicKey], user.sign.secretKey);
  const claim = [
    fromHex(networkId),
    utf8(user.handle),
    user.sign.publicKey,
    user.box.publicKey,
    vault,
    fromHex(user.deviceId),
  ];
  const body = {
    handle: user.handle,
    record: finished.registrationRecord,
    signKey: base64(user.sign.publicKey),
    boxKey: base64(user.box.publicKey),
    keyBinding: base64(keyBinding),
    vault: base64(vault),
    deviceId: user.deviceId,
    deviceName: "test device",
    proof: base64(signStatement("kith registration 1", claim, user.sign.secretKey)),
  };
  return { body, exportKey: finished.exportKey };
}

export async function register(url: string, name: string, password?: string): Promise<TestUser> {
  const user = newUser(name, password);
  const { body, exportKey } = await registrationBody(url, user);
  const answer = await post(url, "/v1/register/finish", body);
  if (codeOf(answer) !== "ok") throw new Error(codeOf(answer));
  return { ...user, exportKey, certificate: bytesOf(textOf(answer, "certificate")) };
}

export interface LoginStart {
  readonly answer: HttpAnswer;
  readonly clientLoginState: string;
}

export async function loginStart(url: string, handle: string, password: string): Promise<LoginStart> {
  await opaque.ready;
  const { clientLoginState, startLoginRequest } = opaque.client.startLogin({ password });
  return { answer: await post(url, "/v1/login/start", { handle, request: startLoginRequest }), clientLoginState };
}

/** What the client makes of the server's answer; undefined if the password is wrong. */
export function loginProof(start: LoginStart, password: string) {
  return opaque.client.finishLogin({
    password,
    clientLoginState: start.clientLoginState,
    loginResponse: textOf(start.answer, "response"),
    keyStretching: KEY_STRETCHING,
  });
}

/** Signs in with handle and password alone, as on a new machine. Throws an Error with the code of a refusal. */
export async function login(url: string, name: string, password: string, deviceId = newDeviceId()): Promise<TestUser> {
  const start = await loginStart(url, name, password);
  if (codeOf(start.answer) !== "ok") throw new Error(codeOf(start.answer));
  const proof = loginProof(start, password);
  if (!proof) throw new Error("wrong-password");
  const answer = await post(url, "/v1/login/finish", {
    attempt: textOf(start.answer, "attempt"),
    request: proof.finishLoginRequest,
    deviceId,
    deviceName: "another device",
  });
  if (codeOf(answer) !== "ok") throw new Error(codeOf(answer));
  const keys = openVault(bytesOf(textOf(answer, "vault")), proof.exportKey);
  const certificate = bytesOf(textOf(answer, "certificate"));
  const userId = userIdOf(keys.sign.publicKey);
  return { userId, handle: handle(name), password, ...keys, deviceId, certificate, exportKey: proof.exportKey };
}

/** A socket of the session endpoint that keeps every push it gets. */
export class SessionClient {
  readonly call: Caller<typeof LOGIN_METHODS>;
  readonly socket: Socket;
  readonly #pushes: { name: PushName; value: unknown }[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(url: string) {
    this.socket = io(url, loginSocketOptions());
    this.call = caller(this.socket, LOGIN_METHODS, 30_000);
    for (const name of Object.keys(LOGIN_PUSHES) as PushName[]) {
      this.socket.on(name, (value: unknown) => {
        this.#pushes.push({ name, value: LOGIN_PUSHES[name].parse(value) });
        for (const wake of this.#waiting) wake();
      });
    }
  }

  /** All pushes of one kind, so far. */
  pushes<K extends PushName>(name: K): z.infer<Pushes[K]>[] {
    return this.#pushes.filter((push) => push.name === name).map((push) => push.value as z.infer<Pushes[K]>);
  }

  /** The first push of this kind that fits, waited for. */
  async pushed<K extends PushName>(
    name: K,
    fits: (value: z.infer<Pushes[K]>) => boolean = () => true,
    timeoutMs = 30_000,
  ): Promise<z.infer<Pushes[K]>> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.pushes(name).find(fits);
      if (found) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`no such push of ${name} within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left);
        const waiting = this.#waiting;
        function done() {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  /** Answers the challenge. Throws the KithError of a refusal. */
  async open(
    networkId: string,
    user: Pick<TestUser, "certificate" | "sign" | "deviceId">,
  ): Promise<{ certificate: Uint8Array }> {
    const { nonce } = await this.pushed("challenge");
    const claim = [fromHex(networkId), nonce, fromHex(user.deviceId)];
    const proof = signStatement("kith login session 1", claim, user.sign.secretKey);
    return this.call("open", { certificate: user.certificate, proof });
  }

  /** Resolves when the server has closed the socket. */
  async closed(timeoutMs = 30_000): Promise<void> {
    if (!this.socket.connected && !this.socket.active) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`still connected after ${timeoutMs} ms`)), timeoutMs);
      this.socket.once("disconnect", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  close(): void {
    this.socket.disconnect();
  }
}

export interface TestSupernode {
  readonly sign: SigningKeyPair;
  readonly tlsFingerprint: Uint8Array;
  readonly host: string;
  readonly port: number;
}

export function newSupernode(port: number, host = "127.0.0.1"): TestSupernode {
  return { sign: signingKeyPair(), tlsFingerprint: new Uint8Array(randomBytes(32)), host, port };
}

export async function enrolmentBody(url: string, supernode: TestSupernode, token: string) {
  const { sign, tlsFingerprint, host, port } = supernode;
  const claim = [fromHex(await networkIdAt(url)), sign.publicKey, tlsFingerprint, utf8(`${host}:${port}`)];
  return {
    token,
    signKey: base64(sign.publicKey),
    tlsFingerprint: base64(tlsFingerprint),
    host,
    port,
    proof: base64(signStatement("kith enrolment 1", claim, sign.secretKey)),
  };
}

export async function enrol(url: string, supernode: TestSupernode, token: string): Promise<Uint8Array> {
  const answer = await post(url, "/v1/supernodes/enrol", await enrolmentBody(url, supernode, token));
  if (codeOf(answer) !== "ok") throw new Error(codeOf(answer));
  return bytesOf(textOf(answer, "certificate"));
}
