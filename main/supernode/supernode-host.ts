/** What the client core needs of the app's shell to run a supernode: a process for it, and what the computer says of its supply. */
import type { SupernodeNews, SupernodeOrder } from "../../protocol/desktop-supernode.ts";

export interface SupernodeProcess {
  tell(order: SupernodeOrder): void;
  /** At once, whatever it is doing. */
  kill(): void;
}

export interface SupernodeProcessListener {
  news(news: SupernodeNews): void;
  /** It is gone, whoever ended it. */
  ended(): void;
}

/** `unknown` where the system does not say. */
export type Metered = "yes" | "no" | "unknown";

export interface Supply {
  readonly onBattery: boolean;
  readonly metered: Metered;
}

export interface SupernodeHost {
  launch(listener: SupernodeProcessListener): SupernodeProcess;
  supply(): Supply;
  /** @returns stops listening */
  onSupplyChange(listener: () => void): () => void;
}
