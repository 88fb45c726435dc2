/** One process that is a supernode, from its start to its end: tickets for it, and its place on the login server's list. */
import type { SupernodeNews, SupernodeOrder, SupernodeReport } from "../../protocol/desktop-supernode.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import type { Notice } from "../../protocol/ipc-schema.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { LOGIN_METHODS } from "../../protocol/login-api.ts";
import type { Caller } from "../../protocol/rpc.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { SupernodeHost, SupernodeProcess } from "./supernode-host.ts";

/** What a supernode needs of whoever is signed in. */
export interface SupernodeSponsor {
  readonly loginServer: string;
  /** Fingerprint of the network's newest key. */
  readonly networkKey: NetworkId;
  /** Tells accounts apart: each has a supernode, and so a data folder, of its own. */
  readonly account: string;
  readonly isOpen: boolean;
  readonly request: Caller<typeof LOGIN_METHODS>;
}

export interface RunParts {
  readonly host: SupernodeHost;
  readonly sponsor: SupernodeSponsor;
  readonly surroundings: Surroundings;
  readonly order: Extract<SupernodeOrder, { kind: "start" }>;
}

export interface RunListener {
  report(report: SupernodeReport): void;
  /** It says why it ends. */
  failed(notice: Notice): void;
  /** It is gone, whoever ended it. */
  ended(): void;
}

/** A supernode that is told to stop says goodbye first; then it is ended. */
const STOP_PATIENCE_MS = 3_000;

export class SupernodeRun {
  readonly account: string;
  readonly order: RunParts["order"];
  readonly #parts: RunParts;
  readonly #process: SupernodeProcess;
  readonly #gone: Promise<void>;
  /** Monotonic; null: it is not on the list. */
  #listedAt: number | null = null;
  #isStopping = false;

  constructor(parts: RunParts, listener: RunListener) {
    this.#parts = parts;
    this.account = parts.sponsor.account;
    this.order = parts.order;
    let gone: () => void = () => undefined;
    this.#gone = new Promise((resolve) => {
      gone = resolve;
    });
    this.#process = parts.host.launch({
      news: (news) => this.#hear(news, listener),
      ended: () => {
        gone();
        listener.ended();
      },
    });
    this.#process.tell(parts.order);
  }

  /** Takes it off the list, lets it say goodbye, and resolves once it has gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#process.tell({ kind: "stop" });
    const cancel = this.#parts.surroundings.clock.after(STOP_PATIENCE_MS, () => this.#process.kill());
    const unlisted = this.#listedAt === null ? Promise.resolve() : this.#list(false).catch(() => undefined);
    await Promise.all([this.#gone, unlisted]);
    cancel();
  }

  #hear(news: SupernodeNews, listener: RunListener): void {
    if (this.#isStopping) return;
    const { background } = this.#parts.surroundings;
    switch (news.kind) {
      case "needs-token":
        background.run("supernode ticket", this.#giveToken());
        break;
      case "report":
        listener.report(news.report);
        background.run("supernode list", this.#keepListed(news.report.stage.kind === "member"));
        break;
      case "failed":
        listener.failed(news.notice);
        break;
      default:
        news satisfies never;
    }
  }

  async #giveToken(): Promise<void> {
    let token: string | null = null;
    try {
      ({ token } = await this.#parts.sponsor.request("enrolSupernode", {}));
    } finally {
      this.#process.tell({ kind: "token", token });
    }
  }

  /** Clients are sent to it only while the network counts it among its members; the list forgets who is silent. */
  async #keepListed(isMember: boolean): Promise<void> {
    const { sponsor, surroundings } = this.#parts;
    if (!sponsor.isOpen) return;
    const now = surroundings.clock.monotonic();
    const isDue = this.#listedAt === null || now - this.#listedAt > TIMES.desktopSupernodeListedMs / 6;
    if (isMember ? !isDue : this.#listedAt === null) return;
    const before = this.#listedAt;
    this.#listedAt = isMember ? now : null;
    try {
      await this.#list(isMember);
    } catch (error) {
      this.#listedAt = before;
      throw error;
    }
  }

  async #list(listed: boolean): Promise<void> {
    await this.#parts.sponsor.request("listSupernode", { listed });
  }
}
