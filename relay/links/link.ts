/** Our side of the connection to one other supernode: opened when it is first needed, closed when it is no longer. */
import type { Socket } from "socket.io-client";
import { backoffMs } from "../../protocol/backoff.ts";
import { KithError } from "../../protocol/errors.ts";
import { caller, type Input, type Output } from "../../protocol/rpc.ts";
import { LINK_PUSHES } from "../../protocol/supernode-api.ts";
import type { Member } from "../membership/membership-source.ts";
import type { RelayTimes } from "../relay-times.ts";
import { type LinkIdentity, openJoinedSocket } from "../sockets/joined-socket.ts";
import { LINK_REQUESTS, type LinkPush } from "./link-peer.ts";

export interface LinkParts {
  readonly identity: LinkIdentity;
  readonly times: Pick<RelayTimes, "linkRequestMs" | "linkConnectMs" | "linkIdleMs">;
  readonly random: () => number;
  onPush(push: LinkPush): void;
  /** A joined link has been lost; not told of one that was closed from here. */
  onLost(): void;
}

type LinkState =
  | { readonly kind: "closed" }
  | { readonly kind: "opening"; readonly opened: Promise<Socket> }
  | { readonly kind: "joined"; readonly socket: Socket }
  /** It did not answer; until then it is not bothered, and whoever needs it is told at once. */
  | { readonly kind: "failed"; readonly untilMs: number };

export class Link {
  readonly member: Member;
  readonly #parts: LinkParts;
  #state: LinkState = { kind: "closed" };
  #failures = 0;
  #holds = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(member: Member, parts: LinkParts) {
    this.member = member;
    this.#parts = parts;
  }

  /** Whether a request would have to wait, or would fail. */
  get isFailed(): boolean {
    return this.#state.kind === "failed" && performance.now() < this.#state.untilMs;
  }

  /** The other supernode has shown itself: it may be dialled again at once. */
  forgive(): void {
    this.#failures = 0;
    if (this.#state.kind === "failed") this.#state = { kind: "closed" };
  }

  /** @throws KithError `supernode-unreachable`, `timeout`, or the other supernode's refusal */
  async call<K extends keyof typeof LINK_REQUESTS>(
    name: K,
    input: Input<(typeof LINK_REQUESTS)[K]>,
  ): Promise<Output<(typeof LINK_REQUESTS)[K]>> {
    const deadline = performance.now() + this.#parts.times.linkRequestMs;
    const socket = await this.#open();
    this.#restartIdleTimer();
    return caller(socket, LINK_REQUESTS, Math.max(1, deadline - performance.now()))(name, input);
  }

  /** Pushes are wanted: the link stays open though nobody asks anything. Returns how to give that up. */
  hold(): () => void {
    this.#holds++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#holds--;
      isHeld = false;
      this.#restartIdleTimer();
    };
  }

  close(): void {
    clearTimeout(this.#idleTimer);
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (state.kind === "joined") state.socket.disconnect();
    if (state.kind === "opening") void state.opened.then((socket) => socket.disconnect()).catch(() => undefined);
  }

  async #open(): Promise<Socket> {
    if (this.#state.kind === "joined") return this.#state.socket;
    if (this.#state.kind === "opening") return this.#state.opened;
    if (this.isFailed) throw new KithError("supernode-unreachable");
    const { identity, times } = this.#parts;
    const opened = openJoinedSocket(this.member, identity, times.linkConnectMs);
    const opening: LinkState = { kind: "opening", opened };
    this.#state = opening;
    try {
      const socket = await opened;
      if (this.#state === opening) this.#joined(socket);
      return socket;
    } catch (error) {
      if (this.#state === opening) {
        this.#state = {
          kind: "failed",
          untilMs: performance.now() + backoffMs(this.#failures++, this.#parts.random()),
        };
      }
      throw error;
    }
  }

  #joined(socket: Socket): void {
    this.#state = { kind: "joined", socket };
    this.#failures = 0;
    socket.on("leaseChanged", (received: unknown) => {
      const parsed = LINK_PUSHES.leaseChanged.safeParse(received);
      if (parsed.success) this.#parts.onPush({ name: "leaseChanged", value: parsed.data });
    });
    socket.on("inboxChanged", (received: unknown) => {
      const parsed = LINK_PUSHES.inboxChanged.safeParse(received);
      if (parsed.success) this.#parts.onPush({ name: "inboxChanged", value: parsed.data });
    });
    socket.on("replicated", (received: unknown) => {
      const parsed = LINK_PUSHES.replicated.safeParse(received);
      if (parsed.success) this.#parts.onPush({ name: "replicated", value: parsed.data });
    });
    socket.on("disconnect", () => {
      if (this.#state.kind !== "joined" || this.#state.socket !== socket) return;
      this.#state = { kind: "closed" };
      this.#parts.onLost();
    });
    this.#restartIdleTimer();
  }

  #restartIdleTimer(): void {
    clearTimeout(this.#idleTimer);
    if (this.#holds > 0 || this.#state.kind !== "joined") return;
    this.#idleTimer = setTimeout(() => this.close(), this.#parts.times.linkIdleMs);
  }
}
