import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { generate } from "selfsigned";
import { io } from "socket.io-client";
import { afterEach, beforeAll, expect, test } from "vitest";
import { LoginHttp } from "../../main/account/login-http.ts";
import { NetworkClock, systemClock } from "../../main/core/clock.ts";
import { loginSocketOptions } from "../../protocol/login-socket.ts";
import { LoginServerClient } from "../../relay/enrolment/login-server-client.ts";
import { root } from "../../scripts/repository.ts";
import { ensureTools } from "../../scripts/system-packages.ts";
import { codeOf, post } from "../support/login-api-client.ts";
import { loginServers } from "../support/login-server-fixture.ts";
import { until } from "../support/until.ts";

const servers = loginServers();
let nginxMissing: string | null = null;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  nginxMissing = await ensureTools({ nginx: "nginx-light" }, process.env);
}, 240_000);
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Writes a fresh certificate and its key. @returns where, and the certificate's fingerprint */
async function certificateIn(folder: string): Promise<{ cert: string; key: string; fingerprint: string }> {
  const made = await generate([{ name: "commonName", value: "login.example.org" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
  });
  const files = { cert: join(folder, "fullchain.pem"), key: join(folder, "privkey.pem") };
  writeFileSync(files.cert, made.cert);
  writeFileSync(files.key, made.private);
  return { ...files, fingerprint: new X509Certificate(made.cert).fingerprint256 };
}

/** Of the certificate that a new connection is shown. */
async function shownAt(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** A request by TLS, past the certificate: a POST if it has a body. */
function secureRequest(
  url: string,
  headers: Record<string, string> = {},
  posted: string | null = null,
): Promise<{ status: number; body: string; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const method = posted === null ? "GET" : "POST";
    httpsRequest(url, { method, rejectUnauthorized: false, headers }, async (response) => {
      let body = "";
      for await (const chunk of response) body += String(chunk);
      resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
    })
      .on("error", reject)
      .end(posted ?? undefined);
  });
}

/** Resolves with the nonce's length once the server has greeted the socket, over TLS. */
async function challengedAt(url: string): Promise<number> {
  const socket = io(url, { ...loginSocketOptions(), rejectUnauthorized: false });
  closers.push(async () => void socket.disconnect());
  return new Promise((resolve, reject) => {
    socket.on("challenge", ({ nonce }: { nonce: Uint8Array }) => resolve(nonce.length));
    socket.on("connect_error", reject);
  });
}

test("an app and a supernode that cannot trust the certificate say so, and why", async () => {
  const { cert, key } = await certificateIn(servers.folder());
  const { url } = await servers.start({ tls: { cert, key } });
  const clock = new NetworkClock(systemClock());
  for (const asked of [new LoginHttp(url, fetch, clock).network(), new LoginServerClient(url).network()]) {
    await expect(asked).rejects.toMatchObject({
      code: "login-server-certificate",
      details: { why: "nobody but itself has signed it" },
    });
  }
});

test("with a certificate of its own it speaks TLS, and its sockets too", async () => {
  const { cert, key, fingerprint } = await certificateIn(servers.folder());
  const server = await servers.start({ tls: { cert, key } });
  expect(server.url).toBe(`https://127.0.0.1:${server.port}`);
  expect(await shownAt(server.port)).toBe(fingerprint);
  expect(JSON.parse((await secureRequest(`${server.url}/v1/network`)).body)).toMatchObject({
    networkId: server.networkId,
  });
  expect(await challengedAt(server.url)).toBe(32);
});

test("a certificate that was renewed is shown without a restart, and one that does not fit is not", async () => {
  const folder = servers.folder();
  const files = await certificateIn(folder);
  const server = await servers.start({ tls: files });
  const renewed = await certificateIn(folder);
  await until(async () => (await shownAt(server.port)) === renewed.fingerprint, 20_000);
  writeFileSync(files.key, "no key at all");
  const odd = await certificateIn(servers.folder());
  writeFileSync(files.cert, readFileSync(odd.cert));
  // Twice as long as it takes to look.
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  expect(await shownAt(server.port)).toBe(renewed.fingerprint);
  writeFileSync(files.key, readFileSync(odd.key));
  await until(async () => (await shownAt(server.port)) === odd.fingerprint, 20_000);
});

test("a certificate without its key does not start", async () => {
  const one = await certificateIn(servers.folder());
  const other = await certificateIn(servers.folder());
  for (const tls of [
    { cert: one.cert, key: other.key },
    { cert: one.cert, key: join(servers.folder(), "missing.pem") },
  ]) {
    await expect(servers.start({ tls })).rejects.toMatchObject({ code: "option-invalid" });
  }
});

test("what a client writes about its own address is believed of a named proxy only", async () => {
  const limited = { registration: { burst: 1, perSecond: 0.001 } };
  const from = (address: string) => ({ "content-type": "application/json", "x-forwarded-for": address });
  const start = async (url: string, address: string) => {
    const body = JSON.stringify({ handle: "alice", request: "AAAA" });
    const answer = await fetch(`${url}/v1/register/start`, { method: "POST", headers: from(address), body });
    return ((await answer.json()) as { error?: { code: string } }).error?.code;
  };
  const alone = await servers.start({ rates: limited });
  expect(await start(alone.url, "192.0.2.1")).toBe("malformed");
  expect(await start(alone.url, "192.0.2.2")).toBe("rate-limited");
  const proxied = await servers.start({ rates: limited, proxies: ["127.0.0.1"] });
  expect(await start(proxied.url, "192.0.2.1")).toBe("malformed");
  expect(await start(proxied.url, "192.0.2.2")).toBe("malformed");
  // The last one is the proxy's own word; what stands before it may be invented.
  expect(await start(proxied.url, "198.51.100.9, 192.0.2.2")).toBe("rate-limited");
});

test("a named proxy that speaks TLS to the server is believed too", async () => {
  const tls = await certificateIn(servers.folder());
  const rates = { registration: { burst: 1, perSecond: 0.001 } };
  const server = await servers.start({ tls, proxies: ["127.0.0.1"], rates });
  const start = async (address: string) => {
    const headers = { "content-type": "application/json", "x-forwarded-for": address };
    const { body } = await secureRequest(
      `${server.url}/v1/register/start`,
      headers,
      '{"handle":"alice","request":"AAAA"}',
    );
    return (JSON.parse(body) as { error: { code: string } }).error.code;
  };
  expect(await start("192.0.2.1")).toBe("malformed");
  expect(await start("192.0.2.2")).toBe("malformed");
  expect(await start("192.0.2.2")).toBe("rate-limited");
});

/** A free port for a program that takes none by itself. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

/** nginx with the recipe of packaging/, on ports and files of the test's own. */
async function startNginx(
  backend: number,
  folder: string,
): Promise<{ url: string; log: () => string; errors: () => string }> {
  const { cert, key } = await certificateIn(folder);
  const port = await freePort();
  const log = join(folder, "access.log");
  const recipe = readFileSync(join(root, "packaging", "nginx.conf"), "utf8")
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
    .replace("listen [::]:443 ssl;", "")
    .replace("/etc/letsencrypt/live/login.example.org/fullchain.pem", cert)
    .replace("/etc/letsencrypt/live/login.example.org/privkey.pem", key)
    .replace("/var/log/nginx/kith.log", log)
    .replaceAll("127.0.0.1:7440", `127.0.0.1:${backend}`);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    .join("\n");
  const conf = join(folder, "nginx.conf");
  writeFileSync(
    conf,
    `daemon off; pid ${join(folder, "pid")}; worker_processes 1; ${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 64; }
http { ${paths} ${recipe} }`,
  );
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const child = spawn("nginx", ["-c", conf, "-e", join(folder, "error.log")], { stdio: "pipe", env });
  const ended = once(child, "exit");
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => {
    words += chunk.toString();
  });
  closers.push(async () => {
    child.kill("SIGQUIT");
    child.kill("SIGTERM");
    await ended;
  });
  const url = `https://127.0.0.1:${port}`;
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`nginx: ${words}`);
    return secureRequest(`${url}/health`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }, 20_000);
  const errors = () => readFileSync(join(folder, "error.log"), "utf8");
  return { url, log: () => readFileSync(log, "utf8"), errors };
}

test("behind a real nginx, by the recipe, requests and sockets get through, addresses are the clients', and invitations stay out of its log", async (context) => {
  if (nginxMissing !== null) return context.skip(nginxMissing);
  const server = await servers.start({
    proxies: ["127.0.0.1"],
    publicUrl: "https://login.example.org",
    rates: { registration: { burst: 1, perSecond: 0.001 } },
  });
  const { url, log, errors } = await startNginx(server.port, servers.folder());
  expect(JSON.parse((await secureRequest(`${url}/v1/network`)).body)).toMatchObject({ networkId: server.networkId });
  expect(await challengedAt(url)).toBe(32);
  const token = server.firstInvitation?.token ?? "";
  const page = await secureRequest(`${url}/i/${token}`);
  expect(page.status).toBe(200);
  expect(page.body).toContain(`invitation=${token}`);
  expect(page.body).toContain(encodeURIComponent("https://login.example.org"));
  await until(() => log().includes("/v1/network"), 10_000);
  expect(log()).not.toContain(token);
  // nginx says 127.0.0.1 whatever the client claims: the second one is the same client.
  const spoofed = { "content-type": "application/json", "x-forwarded-for": "198.51.100.1" };
  const answers = [];
  for (const _ of [1, 2]) {
    const { body } = await secureRequest(`${url}/v1/register/start`, spoofed, '{"handle":"alice","request":"AAAA"}');
    answers.push((JSON.parse(body) as { error: { code: string } }).error.code);
  }
  expect(answers).toEqual(["malformed", "rate-limited"]);
  // Nor does nginx complain of them by name when the server is away.
  await server.close();
  expect((await secureRequest(`${url}/i/${token}`)).status).toBe(502);
  expect((await secureRequest(`${url}/health`)).status).toBe(502);
  await until(() => errors().includes("/health"), 10_000);
  expect(errors()).not.toContain(token);
}, 60_000);

test("the page of an invitation opens the app, runs nothing, and says nothing about whether it is good", async () => {
  const server = await servers.start({
    name: '<script>alert("club")</script>',
    downloadUrl: "https://kith.example/get",
  });
  const token = server.firstInvitation?.token ?? "";
  const good = await fetch(`${server.url}/i/${token}`);
  const body = await good.text();
  expect(good.status).toBe(200);
  expect(body).toContain(
    `href="kith:join?server=${encodeURIComponent(server.url)}&amp;network=${server.networkId}&amp;invitation=${token}"`,
  );
  expect(body).toContain('href="https://kith.example/get"');
  expect(body).not.toContain("<script");
  const policy = good.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/script-src|unsafe/);
  expect(good.headers.get("referrer-policy")).toBe("no-referrer");
  expect(good.headers.get("cache-control")).toBe("no-store");
  const unknown = await fetch(`${server.url}/i/${"x".repeat(32)}`);
  expect([unknown.status, (await unknown.text()).replaceAll("x".repeat(32), token)]).toEqual([200, body]);
  for (const path of ["/i/", "/i/abc", `/i/${token}x`, "/i/%3Cscript%3E", `/i/${token}/../..`]) {
    const odd = await fetch(`${server.url}${path}`, { redirect: "manual" });
    expect(odd.status).toBe(404);
    expect(await odd.text()).not.toContain("kith:join");
  }
  expect(codeOf(await post(server.url, `/i/${token}`, {}))).toBe("unknown-method");
});
