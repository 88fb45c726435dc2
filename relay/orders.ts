/** What the desktop app tells the supernode inside it, as promises that its start-up waits for. */
import type { SupernodeOrder } from "../protocol/desktop-supernode.ts";
import { KithError } from "../protocol/errors.ts";

type StartOrder = Extract<SupernodeOrder, { kind: "start" }>;

export class Orders {
  readonly started: Promise<StartOrder>;
  readonly stopped: Promise<void>;
  readonly #requestToken: () => void;
  readonly #waitingForToken: ((token: string | null) => void)[] = [];
  #start: (order: StartOrder) => void = () => undefined;
  #stop: () => void = () => undefined;

  /** @param requestToken tells the app that one is needed */
  constructor(requestToken: () => void) {
    this.#requestToken = requestToken;
    this.started = new Promise((resolve) => {
      this.#start = resolve;
    });
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
  }

  take(order: SupernodeOrder): void {
    switch (order.kind) {
      case "start":
        this.#start(order);
        break;
      case "token":
        this.#waitingForToken.shift()?.(order.token);
        break;
      case "stop":
        this.#stop();
        break;
      default:
        order satisfies never;
    }
  }

  /** @throws KithError `enrolment-refused` when the app has none to give */
  async askForToken(): Promise<string> {
    const answer = new Promise<string | null>((resolve) => this.#waitingForToken.push(resolve));
    this.#requestToken();
    const token = await answer;
    if (token === null) throw new KithError("enrolment-refused");
    return token;
  }
}
