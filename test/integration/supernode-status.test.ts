import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { TestNode } from "../support/node-api-client.ts";
import { openRawWebSocket } from "../support/raw-websocket.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestNetwork, type TestSupernode } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

describe("the operator's page of a supernode", () => {
  let network: TestNetwork | undefined;

  afterEach(async () => {
    await network?.close();
    network = undefined;
  });

  const start = async (): Promise<{ network: TestNetwork; supernode: TestSupernode; url: string }> => {
    const started = await TestNetwork.start(1, { status: LOOPBACK });
    network = started;
    const supernode = started.supernodes[0] as TestSupernode;
    return { network: started, supernode, url: supernode.statusUrl ?? "" };
  };
  const metric = async (url: string, name: string): Promise<number> => {
    const metrics = await (await fetch(`${url}metrics`)).text();
    const line = metrics.split("\n").find((candidate) => candidate.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  };

  it("shows who is attached, what is held, the bytes that went over the port, and nothing of the people", async () => {
    const { network, supernode, url } = await start();
    const before = await metric(url, "kith_port_received_bytes_total");
    const node = await TestNode.online(supernode.certificate, network.authority.device());
    expect(await metric(url, "kith_attached_nodes")).toBe(1);
    expect(await metric(url, "kith_members")).toBe(1);
    await until(async () => (await metric(url, "kith_records")) === 1);
    // A TLS handshake and a certificate at least.
    expect((await metric(url, "kith_port_received_bytes_total")) - before).toBeGreaterThan(1_000);
    expect(await metric(url, "kith_port_sent_bytes_total")).toBeGreaterThan(1_000);
    const answer = await fetch(url);
    const page = await answer.text();
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    expect(page).toMatch(/Attached nodes<\/span><span class="value">1</);
    expect(page).toContain(supernode.supernodeId);
    for (const shown of [page, await (await fetch(`${url}metrics`)).text()]) {
      for (const secret of [node.userId, node.device.deviceId, network.loginServer.enrolmentToken]) {
        expect(shown).not.toContain(secret);
      }
    }
    node.close();
    await until(async () => (await metric(url, "kith_attached_nodes")) === 0);
    await until(async () => (await metric(url, "kith_connections")) === 0);
    expect((await metric(url, "kith_port_received_bytes_total")) - before).toBeGreaterThan(1_000);
  });

  it("counts each refused request by who asked and the code of the answer", async () => {
    const { network, supernode, url } = await start();
    const node = await TestNode.online(supernode.certificate, network.authority.device());
    expect(await codeOf(node.call("register", { lease: new Uint8Array(3) }))).toBe("malformed");
    expect(await metric(url, 'kith_requests_refused_total{from="node",code="malformed"}')).toBe(1);
    expect(await metric(url, 'kith_requests_answered_total{from="newcomer"}')).toBe(1);
    node.close();
  });

  it("counts connections that speak no known protocol", async () => {
    const { supernode, url } = await start();
    const socket = connect(supernode.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(Buffer.from([0xff]));
    await until(async () => (await metric(url, 'kith_connections_refused_total{reason="unknown-protocol"}')) === 1);
    socket.destroy();
  });

  it("counts frames that are no request or too large for one, before any proof and after it", async () => {
    const { network, supernode, url } = await start();
    const stranger = await openRawWebSocket(supernode.certificate);
    stranger.write("4no packet");
    await until(async () => (await metric(url, 'kith_frames_refused_total{reason="malformed"}')) === 1);
    stranger.destroy();
    const node = await TestNode.online(supernode.certificate, network.authority.device());
    node.socket.io.engine.write("no packet either");
    await until(async () => (await metric(url, 'kith_frames_refused_total{reason="malformed"}')) === 2);
    const other = await TestNode.online(supernode.certificate, network.authority.device());
    other.socket.emit("search", "x".repeat(200_000));
    await until(async () => (await metric(url, 'kith_frames_refused_total{reason="too-large"}')) === 1);
    await until(() => !node.socket.connected && !other.socket.connected);
  });

  it("runs nothing but its own script, and says so by its headers", async () => {
    const { url } = await start();
    const { headers } = await fetch(url);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; connect-src 'self'/,
    );
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("answers /health and /ready, and refuses other paths, verbs and names", async () => {
    const { url } = await start();
    const statusOf = async (path: string, init?: RequestInit) => (await fetch(url + path, init)).status;
    expect(await statusOf("health")).toBe(200);
    expect(await statusOf("ready")).toBe(200);
    expect(await statusOf("nowhere")).toBe(404);
    expect(await statusOf("health", { method: "POST" })).toBe(405);
    const rebound = await new Promise((resolve, reject) => {
      const asked = request(url, { headers: { host: "attacker.example" } }, (response) => resolve(response.statusCode));
      asked.on("error", reject).end();
    });
    expect(rebound).toBe(421);
  });

  it("has every metric that the operator's manual names", async () => {
    const { url } = await start();
    const metrics = await (await fetch(`${url}metrics`)).text();
    const manual = readFileSync(join(import.meta.dirname, "../../docs/operator.md"), "utf8");
    const named = new Set(manual.match(/\bkith_[a-z_]*[a-z]\b/g));
    expect(named.size).toBeGreaterThan(10);
    // A limit that is not set has no metric.
    named.delete("kith_relay_month_bytes_limit");
    for (const name of named) expect(metrics, name).toMatch(new RegExp(`^# TYPE ${name}`, "m"));
  });

  it("is nowhere on the public port", async () => {
    const { supernode } = await start();
    await expect(fetch(`http://127.0.0.1:${supernode.port}/metrics`)).rejects.toThrow();
  });

  it("does not start on a port that is taken, and leaves nothing open then", async () => {
    const { network, url } = await start();
    const taken = { host: "127.0.0.1", port: Number(new URL(url).port) };
    expect(await codeOf(network.add({ status: taken }))).toBe("port-in-use");
  });
});
