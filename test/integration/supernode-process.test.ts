import { afterEach, describe, expect, it } from "vitest";
import { TestNode } from "../support/node-api-client.ts";
import { type RelayProcess, readiness, startRelayProcess } from "../support/relay-process.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

describe("the supernode's process", () => {
  const started: RelayProcess[] = [];
  let network: TestNetwork | undefined;

  afterEach(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.splice(0).map(({ ended }) => ended));
    await network?.close();
    network = undefined;
  });

  const run = async (...args: string[]): Promise<RelayProcess> => {
    const relay = await startRelayProcess(args);
    started.push(relay);
    return relay;
  };
  const argsFor = (one: TestNetwork): string[] => {
    const { dataFolder, loginServer } = one.options();
    const { enrolmentToken } = one.loginServer;
    return ["--data", dataFolder, "--login-server", loginServer, "--enrolment-token", enrolmentToken];
  };

  it("explains itself", async () => {
    const relay = await run("--help");
    expect(await relay.ended).toBe(0);
    expect(relay.output().stdout).toContain("--enrolment-token");
    expect(relay.output().stderr).toBe("");
  });

  it.each([
    ["a wrong option", ["--port", "x"], /^relay: --.*\n$/],
    ["an unknown option", ["--colour"], /^relay: .*--colour.*\n$/],
    [
      "a login server out of reach",
      ["--login-server", "http://127.0.0.1:1", "--enrolment-token", "t", "--data", "DATA", "--log-level", "silent"],
      /^relay: The login server at http:\/\/127\.0\.0\.1:1 cannot be reached\..*\n$/,
    ],
  ])("ends with one line and a non-zero code at %s", async (_what, args, line) => {
    network = await TestNetwork.start(0);
    const folder = network.folder();
    const relay = await run(...args.map((arg) => (arg === "DATA" ? folder : arg)));
    expect(await relay.ended).toBe(1);
    expect(relay.output().stderr).toMatch(line);
    expect(relay.output().stdout).toBe("");
  });

  it("says that it is ready, serves, and at SIGTERM sends its nodes elsewhere and ends with 0", async () => {
    network = await TestNetwork.start(1);
    const relay = await run(...argsFor(network), "--drain-seconds", "8");
    const { supernodeId, port } = await readiness(relay);
    const [first, second] = relay.output().stdout.split("\n");
    const folder = relay.child.spawnargs[relay.child.spawnargs.indexOf("--data") + 1];
    expect(first).toBe(`Supernode ${supernodeId} at 127.0.0.1:${port}, data in ${folder}`);
    const [, page = ""] = /^Status page at (http:\/\/127\.0\.0\.1:\d+\/), metrics at /.exec(second ?? "") ?? [];
    expect(await (await fetch(`${page}ready`)).text()).toBe("ready\n");
    const node = await TestNode.online(await network.certificateOf(supernodeId), network.authority.device());
    relay.child.kill("SIGTERM");
    await until(() => node.toldToGo.length === 1);
    const draining = await fetch(`${page}ready`);
    expect([draining.status, await draining.text()]).toEqual([503, "draining\n"]);
    expect(node.socket.connected).toBe(true);
    node.close();
    expect(await relay.ended).toBe(0);
  });

  it("does not outlive the process that started it", async () => {
    network = await TestNetwork.start(0);
    const relay = await run(...argsFor(network), "--drain-seconds", "0");
    await readiness(relay);
    relay.child.disconnect();
    expect(await relay.ended).toBe(0);
  });

  it("logs neither its token nor anybody's identity at the usual level", async () => {
    network = await TestNetwork.start(0);
    const args = argsFor(network);
    const relay = await run(...args);
    const { supernodeId } = await readiness(relay);
    const node = await TestNode.online(await network.certificateOf(supernodeId), network.authority.device());
    node.close();
    relay.child.kill("SIGTERM");
    await relay.ended;
    const { stderr } = relay.output();
    expect(stderr).toContain("the supernode is up");
    expect(stderr).not.toContain(network.loginServer.enrolmentToken);
    expect(stderr).not.toContain(node.userId);
    expect(stderr).not.toContain(node.device.deviceId);
  });
});
