/**
 * This computer as a supernode: runs one in a process of its own while its user agrees and
 * nothing stands in the way, and ends it at once when any of that changes.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { SupernodeReport } from "../../protocol/desktop-supernode.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Notice, Settings, SupernodeObstacle, SupernodeView } from "../../protocol/ipc-schema.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { PushListener } from "../core/pushes.ts";
import { obstacleTo } from "./supernode-circumstances.ts";
import type { SupernodeHost } from "./supernode-host.ts";
import { SupernodeRun, type SupernodeSponsor } from "./supernode-run.ts";

export interface DesktopSupernodeParts {
  readonly host: SupernodeHost;
  /** The profile. */
  readonly dataFolder: string;
  readonly settings: () => Settings;
  /** Null while nobody is signed in. */
  readonly sponsor: () => SupernodeSponsor | null;
  readonly surroundings: Surroundings;
  readonly push: PushListener;
}

type State =
  | { readonly kind: "off" }
  | { readonly kind: "waiting"; readonly obstacle: SupernodeObstacle }
  /** The login server is asked whether the network wants it; until it has answered, what was said before holds. */
  | { readonly kind: "asking"; readonly shown: SupernodeView }
  | { readonly kind: "up"; readonly run: SupernodeRun; readonly report: SupernodeReport | null }
  /** It is tried again after a while. */
  | { readonly kind: "failed"; readonly notice: Notice };

const RETRY_MS = 60_000;
const MBIT_BYTES = 125_000;
const GB_BYTES = 1_000_000_000;

export class DesktopSupernode {
  readonly #parts: DesktopSupernodeParts;
  readonly #stopListening: () => void;
  #state: State = { kind: "off" };
  #cancelRetry: () => void = () => undefined;
  /** Until the one before has gone. */
  #leaving: Promise<void> = Promise.resolve();
  #isSetAside = false;

  constructor(parts: DesktopSupernodeParts) {
    this.#parts = parts;
    this.#stopListening = parts.host.onSupplyChange(() => this.reconsider());
  }

  get view(): SupernodeView {
    return viewOf(this.#state);
  }

  /** Whatever it depends on may have changed. */
  reconsider(): void {
    if (this.#isSetAside) return;
    const sponsor = this.#parts.sponsor();
    const obstacle = obstacleTo({
      isAllowed: this.#parts.settings().beSupernode,
      isSessionOpen: sponsor?.isOpen ?? false,
      supply: this.#parts.host.supply(),
    });
    if (obstacle === "off") this.#end({ kind: "off" });
    else if (this.#state.kind === "up") this.#reconsiderRun(this.#state.run, obstacle, sponsor);
    else if (obstacle !== null) this.#end({ kind: "waiting", obstacle });
    else if (sponsor !== null && this.#state.kind !== "asking") this.#begin(sponsor);
  }

  /** Ends it for as long as the work goes on: the account leaves this profile, and could not take it off the list later. */
  async setAside(work: () => Promise<void>): Promise<void> {
    this.#isSetAside = true;
    try {
      this.#end({ kind: "waiting", obstacle: "no-session" });
      await this.#leaving;
      await work();
    } finally {
      this.#isSetAside = false;
      this.reconsider();
    }
  }

  async close(): Promise<void> {
    this.#isSetAside = true;
    this.#stopListening();
    this.#end({ kind: "off" });
    await this.#leaving;
  }

  /** A login server that is away is no reason to stop: the network needs supernodes all the more then. */
  #reconsiderRun(run: SupernodeRun, obstacle: SupernodeObstacle | null, sponsor: SupernodeSponsor | null): void {
    if (sponsor === null || sponsor.account !== run.account) this.#end({ kind: "waiting", obstacle: "no-session" });
    else if (obstacle !== null && obstacle !== "no-session") this.#end({ kind: "waiting", obstacle });
    else if (sponsor.isOpen) this.#background(this.#compare(run, sponsor));
  }

  /** Its address may be another one by now (home lines get a new one now and then), or what the user allows. */
  async #compare(run: SupernodeRun, sponsor: SupernodeSponsor): Promise<void> {
    const offer = await sponsor.request("supernodeOffer", {});
    if (!this.#runs(run)) return;
    if (offer.kind !== "accepted") {
      this.#wait(offer.kind);
    } else if (JSON.stringify(this.#order(sponsor, offer.host)) !== JSON.stringify(run.order)) {
      this.#begin(sponsor);
    }
  }

  #begin(sponsor: SupernodeSponsor): void {
    const isWaiting = this.#state.kind === "waiting" || this.#state.kind === "failed";
    this.#end({ kind: "asking", shown: isWaiting ? this.view : { phase: "starting" } });
    this.#background(this.#launch(sponsor));
  }

  async #launch(sponsor: SupernodeSponsor): Promise<void> {
    const asking = this.#state;
    try {
      await this.#leaving;
      const offer = await sponsor.request("supernodeOffer", {});
      if (this.#state !== asking) return;
      if (offer.kind === "accepted") this.#run(sponsor, offer.host);
      else this.#wait(offer.kind);
    } catch (error) {
      if (this.#state === asking) this.#fail(KithError.from(error));
    }
  }

  #run(sponsor: SupernodeSponsor, address: string): void {
    const { host, surroundings } = this.#parts;
    const run: SupernodeRun = new SupernodeRun(
      { host, sponsor, surroundings, order: this.#order(sponsor, address) },
      {
        report: (report) => {
          if (this.#runs(run)) this.#enter({ kind: "up", run, report });
        },
        failed: (notice) => {
          if (this.#runs(run)) this.#failed(notice);
        },
        ended: () => {
          if (this.#runs(run)) this.#fail(new KithError("supernode-ended"));
        },
      },
    );
    this.#enter({ kind: "up", run, report: null });
  }

  #order({ account, loginServer, networkKey }: SupernodeSponsor, host: string): SupernodeRun["order"] {
    const { supernodeMbit, supernodeMonthGb, supernodePort } = this.#parts.settings();
    // Named after a hash: the process is to know nothing of the account, its name included.
    const folder = createHash("sha256").update(account).digest("hex").slice(0, 16);
    return {
      kind: "start",
      dataFolder: join(this.#parts.dataFolder, "supernode", folder),
      loginServer,
      networkKey,
      host,
      port: supernodePort,
      caps: { bytesPerSecond: supernodeMbit * MBIT_BYTES, bytesPerMonth: supernodeMonthGb * GB_BYTES },
    };
  }

  #wait(obstacle: SupernodeObstacle): void {
    this.#end({ kind: "waiting", obstacle });
    this.#retryLater();
  }

  #fail(error: KithError): void {
    this.#parts.surroundings.log.warn("supernode", { code: error.code, cause: error.cause });
    this.#failed({ code: error.code, message: error.message });
  }

  #failed(notice: Notice): void {
    this.#enter({ kind: "failed", notice });
    this.#retryLater();
  }

  #retryLater(): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#parts.surroundings.clock.after(RETRY_MS, () => this.reconsider());
  }

  #runs(run: SupernodeRun): boolean {
    return this.#state.kind === "up" && this.#state.run === run;
  }

  #end(next: State): void {
    if (this.#state.kind === "up") this.#leaving = this.#state.run.stop();
    this.#cancelRetry();
    this.#enter(next);
  }

  #enter(next: State): void {
    const before = JSON.stringify(this.view);
    this.#state = next;
    if (JSON.stringify(this.view) !== before) this.#parts.push("supernode", this.view);
  }

  #background(work: Promise<void>): void {
    this.#parts.surroundings.background.run("supernode", work);
  }
}

function viewOf(state: State): SupernodeView {
  switch (state.kind) {
    case "off":
      return { phase: "off" };
    case "waiting":
      return { phase: "waiting", obstacle: state.obstacle };
    case "asking":
      return state.shown;
    case "failed":
      return { phase: "failed", notice: state.notice };
    case "up":
      return viewOfReport(state.run.order.host, state.report);
    default:
      return state satisfies never;
  }
}

function viewOfReport(host: string, report: SupernodeReport | null): SupernodeView {
  if (report === null || report.stage.kind === "joining") return { phase: "starting" };
  const { stage, port, ...figures } = report;
  if (stage.kind === "unreachable") return { phase: "unreachable", by: stage.by, host, port };
  return { phase: "running", host, port, ...figures };
}
