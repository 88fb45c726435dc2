/** What the benchmark uses of node-turn, which brings no types. */
declare module "node-turn" {
  interface NodeTurnOptions {
    readonly listeningPort: number;
    readonly listeningIps: readonly string[];
    readonly relayIps: readonly string[];
    readonly minPort: number;
    readonly maxPort: number;
    readonly authMech: "long-term";
    readonly credentials: Readonly<Record<string, string>>;
    readonly realm: string;
    readonly debugLevel: string;
  }
  export default class NodeTurn {
    constructor(options: NodeTurnOptions);
    start(): void;
    stop(): void;
  }
}
