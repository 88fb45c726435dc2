/** What the benchmark uses of dht-rpc, which brings no types. */
declare module "dht-rpc" {
  interface DhtRequest {
    readonly command: number;
    readonly target: Buffer | null;
    readonly token: Buffer | null;
    readonly value: Buffer | null;
    reply(value: Buffer | null): void;
  }
  interface DhtAddress {
    readonly host: string;
    readonly port: number;
  }
  interface DhtReply {
    readonly token: Buffer | null;
    readonly from: DhtAddress;
  }
  /** Called for each of the closest nodes when a query has found them. */
  export type DhtCommit = (
    reply: DhtReply,
    node: DHT,
    query: { readonly closestReplies: readonly DhtReply[] },
  ) => Promise<void>;
  interface DhtQuery extends AsyncIterable<{ readonly value: Buffer | null }> {
    readonly successes: number;
    readonly errors: number;
    readonly inflight: number;
    finished(): Promise<void>;
  }
  interface DhtOptions {
    readonly bootstrap?: readonly string[];
    readonly host?: string;
    readonly port?: number;
    readonly ephemeral?: boolean;
    readonly firewalled?: boolean;
  }
  export default class DHT {
    constructor(options: DhtOptions);
    static bootstrapper(port: number, host: string, options?: DhtOptions): DHT;
    on(event: "request", listener: (request: DhtRequest) => void): this;
    fullyBootstrapped(): Promise<void>;
    query(
      request: { readonly target: Buffer; readonly command: number; readonly value?: Buffer },
      options?: { readonly commit?: DhtCommit },
    ): DhtQuery;
    request(
      request: {
        readonly token: Buffer | null;
        readonly target: Buffer;
        readonly command: number;
        readonly value: Buffer;
      },
      to: DhtAddress,
    ): Promise<unknown>;
  }
}
