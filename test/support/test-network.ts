/** A real network on loopback: a login server and supernodes in this process, all ended and removed after the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { decodeSupernodeList } from "../../protocol/supernode-list.ts";
import { type Supernode, type SupernodeOptions, startSupernode } from "../../relay/supernode.ts";
import { type RelayProcess, readiness, startRelayProcess } from "./relay-process.ts";
import { TestAuthority } from "./test-identities.ts";
import { until } from "./until.ts";

/** Where the sockets are under test and not the pace. */
export const QUICK_GOSSIP = { gossipMs: 40, catchUpMs: 60, helloMs: 500, vouchRetryMs: 2_000 };

export interface TestSupernode extends Supernode {
  readonly certificate: SupernodeCertificate;
  readonly dataFolder: string;
}

/** A supernode in a process of its own. */
export interface ForkedSupernode {
  readonly supernodeId: SupernodeId;
  readonly certificate: SupernodeCertificate;
  readonly dataFolder: string;
  readonly process: RelayProcess;
  kill(signal: NodeJS.Signals): void;
}

export class TestNetwork {
  readonly loginServer: LoginServer;
  readonly authority: TestAuthority;
  readonly supernodes: TestSupernode[] = [];
  /** Where the login server keeps its data. */
  readonly loginFolder: string;
  readonly #folders: string[];
  readonly #forked: ForkedSupernode[] = [];

  private constructor(loginServer: LoginServer, authority: TestAuthority, loginFolder: string) {
    this.loginServer = loginServer;
    this.authority = authority;
    this.loginFolder = loginFolder;
    this.#folders = [loginFolder];
  }

  /** @param count of supernodes, which know each other when this returns */
  static async start(count: number, options: Partial<SupernodeOptions> = {}): Promise<TestNetwork> {
    const dataFolder = mkdtempSync(join(tmpdir(), "kith-network-"));
    const now = options.now ?? Date.now;
    const loginServer = await startLoginServer({ dataFolder, now, registration: "open" });
    const network = new TestNetwork(loginServer, TestAuthority.ofLoginServer(dataFolder, now), dataFolder);
    for (let index = 0; index < count; index++) await network.add(options);
    await network.acquainted();
    return network;
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), "kith-relay-"));
    this.#folders.push(folder);
    return folder;
  }

  /** Options of a supernode of this network. */
  options(options: Partial<SupernodeOptions> = {}): SupernodeOptions {
    return {
      dataFolder: options.dataFolder ?? this.folder(),
      loginServer: this.loginServer.url,
      enrolmentToken: this.loginServer.enrolmentToken,
      listen: "127.0.0.1",
      host: "127.0.0.1",
      port: 0,
      ...options,
      gossipTimes: { ...QUICK_GOSSIP, ...options.gossipTimes },
    };
  }

  async add(options: Partial<SupernodeOptions> = {}): Promise<TestSupernode> {
    const complete = this.options(options);
    const supernode = await startSupernode(complete);
    // A busy machine may take more than one try; who is told another address is not meant to be reached at once.
    if (!options.host) await until(() => supernode.stage().kind === "member");
    const certificate = await this.certificateOf(supernode.supernodeId);
    const added = { ...supernode, certificate, dataFolder: complete.dataFolder };
    this.supernodes.push(added);
    return added;
  }

  /** @param former one that has ended, to start again from its data folder */
  async addProcess(args: readonly string[] = [], former?: ForkedSupernode): Promise<ForkedSupernode> {
    const { loginServer, ...options } = this.options();
    const { enrolmentToken } = this.loginServer;
    const dataFolder = former?.dataFolder ?? options.dataFolder;
    const network = ["--login-server", loginServer, "--enrolment-token", enrolmentToken];
    const relay = await startRelayProcess(["--data", dataFolder, ...network, ...args]);
    const { supernodeId } = await readiness(relay);
    const certificate = await this.certificateOf(supernodeId);
    const kill = (signal: NodeJS.Signals) => void relay.child.kill(signal);
    const forked = { supernodeId, certificate, dataFolder, process: relay, kill };
    this.#forked.push(forked);
    return forked;
  }

  /** Waits until every supernode in this process knows all that run; those that have ended are soon known no more. */
  async acquainted(): Promise<void> {
    await until(() => {
      const here = this.supernodes.filter((one) => one.stage().kind !== "left");
      const forked = this.#forked.filter(({ process: { child } }) => (child.exitCode ?? child.signalCode) === null);
      const ids = [...here, ...forked].map((supernode) => supernode.supernodeId);
      return here.every((one) => ids.every((id) => one.members().includes(id)));
    });
  }

  async certificateOf(supernodeId: SupernodeId): Promise<SupernodeCertificate> {
    const response = await fetch(`${this.loginServer.url}/v1/supernodes`);
    const { list } = (await response.json()) as { list: string };
    const entry = decodeSupernodeList(Buffer.from(list, "base64")).value.supernodes.find(
      ({ value }) => value.supernodeId === supernodeId,
    );
    if (!entry) throw new Error("not in the supernode list");
    return entry.value;
  }

  /** The nth supernode's certificate: where nodes attach. */
  at(index: number): SupernodeCertificate {
    const supernode = this.supernodes[index];
    if (!supernode) throw new RangeError(`no supernode ${index}`);
    return supernode.certificate;
  }

  async close(): Promise<void> {
    for (const { kill } of this.#forked) kill("SIGKILL");
    await Promise.all(this.#forked.map(({ process }) => process.ended));
    await Promise.all(this.supernodes.map((supernode) => supernode.close()));
    await this.loginServer.close();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}
