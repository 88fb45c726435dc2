/** A TURN client for tests: one 5-tuple, over UDP, TCP or TLS. It checks every seal that it is given. */
import { randomBytes } from "node:crypto";
import { longTermKey, type PasswordHash } from "../../relay/turn/long-term-key.ts";
import { readXorAddress } from "../../relay/turn/stun-address.ts";
import { Attribute, PasswordAlgorithm, StunClass, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { hasValidIntegrity } from "../../relay/turn/stun-integrity.ts";
import { StunMessage } from "../../relay/turn/stun-message.ts";
import { StunWriter } from "../../relay/turn/stun-writer.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { openStream, openUdp, type Pipe, type PipeOptions } from "./turn-client-pipe.ts";

export interface TurnLogin {
  readonly username: string;
  readonly password: string;
}

export interface TurnClientOptions extends PipeOptions {
  readonly login: TurnLogin;
  /** Answer the offer of PASSWORD-ALGORITHMS, as RFC 8489 clients do; otherwise as RFC 5389 clients. */
  readonly passwordHash?: PasswordHash | null;
  readonly timeoutMs?: number;
}

/** What came back on a request. */
export interface TurnReply {
  readonly code: number | "success";
  readonly message: StunMessage;
  readonly bytes: Buffer;
  /** Whether it carried a valid integrity under the client's key. */
  readonly sealed: boolean;
}

export interface PeerData {
  readonly peer: TransportAddress | null;
  readonly channel: number | null;
  readonly data: Buffer;
}

type Attributes = (writer: StunWriter) => void;
const NO_ATTRIBUTES: Attributes = () => {};

export class TurnClient {
  readonly received: PeerData[] = [];
  /** The challenge's nonce and realm; tests may change them. */
  nonce: string | null = null;
  realm = "";
  #offer: Buffer | null = null;
  readonly #options: TurnClientOptions;
  readonly #pipe: Pipe;
  readonly #waiting = new Map<string, (bytes: Buffer) => void>();
  readonly #listeners = new Set<() => void>();

  private constructor(options: TurnClientOptions, pipe: Pipe) {
    this.#options = options;
    this.#pipe = pipe;
    pipe.onMessage = (bytes) => this.#receive(bytes);
  }

  static async open(options: TurnClientOptions): Promise<TurnClient> {
    const pipe =
      options.transport === undefined || options.transport === "udp" ? openUdp(options) : openStream(options);
    return new TurnClient(options, await pipe);
  }

  get localPort(): number {
    return this.#pipe.localPort;
  }

  /** Resolves when the server has closed the connection. */
  get closed(): Promise<void> {
    return this.#pipe.closed;
  }

  binding(): Promise<TurnReply> {
    return this.send(this.unsealed(StunMethod.binding));
  }

  /** Asks without credentials first, as every client does. @returns the answer to the second request */
  async allocate(attributes: Attributes = NO_ATTRIBUTES): Promise<TurnReply> {
    const withTransport: Attributes = (writer) => {
      writer.bytes(Attribute.requestedTransport, Buffer.from([17, 0, 0, 0]));
      attributes(writer);
    };
    if (this.nonce === null) await this.challenge();
    return await this.request(StunMethod.allocate, withTransport);
  }

  /** Lets the server ask for credentials. */
  async challenge(): Promise<TurnReply> {
    const writer = this.writer(StunMethod.allocate).bytes(Attribute.requestedTransport, Buffer.from([17, 0, 0, 0]));
    const reply = await this.send(writer.finish());
    this.takeChallenge(reply);
    return reply;
  }

  takeChallenge(reply: TurnReply): void {
    this.realm = reply.message.text(Attribute.realm) ?? "";
    this.nonce = reply.message.text(Attribute.nonce);
    const offer = reply.message.value(Attribute.passwordAlgorithms);
    this.#offer = offer === null ? null : Buffer.from(offer);
  }

  refresh(lifetimeS: number | null, attributes: Attributes = NO_ATTRIBUTES): Promise<TurnReply> {
    return this.request(StunMethod.refresh, (writer) => {
      if (lifetimeS !== null) writer.u32(Attribute.lifetime, lifetimeS);
      attributes(writer);
    });
  }

  createPermission(...peers: readonly TransportAddress[]): Promise<TurnReply> {
    return this.request(StunMethod.createPermission, (writer) => {
      for (const peer of peers) writer.xorAddress(Attribute.xorPeerAddress, peer);
    });
  }

  channelBind(number: number, peer: TransportAddress): Promise<TurnReply> {
    return this.request(StunMethod.channelBind, (writer) => {
      writer.u32(Attribute.channelNumber, number * 0x10000).xorAddress(Attribute.xorPeerAddress, peer);
    });
  }

  request(method: number, attributes: Attributes = NO_ATTRIBUTES): Promise<TurnReply> {
    return this.send(this.sealed(method, attributes));
  }

  /** The bytes of an authenticated request. */
  sealed(method: number, attributes: Attributes = NO_ATTRIBUTES): Buffer {
    const { login, passwordHash = null } = this.#options;
    const writer = this.writer(method);
    attributes(writer);
    writer.text(Attribute.username, login.username).text(Attribute.realm, this.realm);
    writer.text(Attribute.nonce, this.nonce ?? "");
    if (passwordHash !== null) {
      const number = passwordHash === "md5" ? PasswordAlgorithm.md5 : PasswordAlgorithm.sha256;
      writer.bytes(Attribute.passwordAlgorithms, this.#offer ?? Buffer.alloc(0));
      writer.u32(Attribute.passwordAlgorithm, number * 0x10000);
    }
    return writer.integrity(passwordHash === null ? "sha1" : "sha256", this.key()).finish();
  }

  unsealed(method: number, attributes: Attributes = NO_ATTRIBUTES): Buffer {
    const writer = this.writer(method);
    attributes(writer);
    return writer.finish();
  }

  writer(method: number, messageClass: number = StunClass.request, capacity = 20_000): StunWriter {
    return new StunWriter(method, messageClass, randomBytes(12), capacity);
  }

  key(): Buffer {
    const { login, passwordHash } = this.#options;
    return longTermKey(passwordHash ?? "md5", login.username, this.realm, login.password);
  }

  /** Sends a request as it is, and waits for its answer. */
  async send(request: Buffer): Promise<TurnReply> {
    const id = request.toString("latin1", 8, 20);
    const timeoutMs = this.#options.timeoutMs ?? 2_000;
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new NoAnswer(timeoutMs));
      }, timeoutMs);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(answer);
      });
      this.#pipe.send(request);
    });
    return this.#reply(bytes);
  }

  /** A Send indication. */
  sendTo(peer: TransportAddress, data: Uint8Array, attributes: Attributes = NO_ATTRIBUTES): void {
    const writer = this.writer(StunMethod.send, StunClass.indication);
    writer.xorAddress(Attribute.xorPeerAddress, peer).bytes(Attribute.data, data);
    attributes(writer);
    this.#pipe.send(writer.finish());
  }

  sendChannel(number: number, data: Uint8Array): void {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(number, 0);
    head.writeUInt16BE(data.length, 2);
    const padding = Buffer.alloc(this.#options.transport === "udp" ? 0 : -data.length & 3);
    this.#pipe.send(Buffer.concat([head, data, padding]));
  }

  sendRaw(bytes: Uint8Array): void {
    this.#pipe.send(Buffer.from(bytes));
  }

  /** Stops reading what the server sends. */
  pause(): void {
    this.#pipe.pause();
  }

  /** Waits until this many packets from peers have come. */
  async receive(count: number, timeoutMs = 2_000): Promise<readonly PeerData[]> {
    if (this.received.length < count) {
      await new Promise<void>((resolve, reject) => {
        const done = () => {
          if (this.received.length < count) return;
          clearTimeout(timer);
          this.#listeners.delete(done);
          resolve();
        };
        const timer = setTimeout(() => {
          this.#listeners.delete(done);
          reject(new Error(`${this.received.length} of ${count} packets after ${timeoutMs} ms`));
        }, timeoutMs);
        this.#listeners.add(done);
      });
    }
    return this.received.slice(0, count);
  }

  close(): Promise<void> {
    return this.#pipe.close();
  }

  #receive(bytes: Buffer): void {
    if (bytes.readUInt8(0) >> 6 === 1) {
      const data = bytes.subarray(4, 4 + bytes.readUInt16BE(2));
      this.#received({ peer: null, channel: bytes.readUInt16BE(0), data });
      return;
    }
    const message = new StunMessage();
    const fault = message.decode(bytes, 0, bytes.length);
    if (fault !== null) throw new Error(`the server sent what is no STUN message: ${fault}`);
    if (message.messageClass === StunClass.indication && message.method === StunMethod.data) {
      const peer = new TransportAddress();
      readXorAddress(message, message.find(Attribute.xorPeerAddress), peer);
      this.#received({ peer, channel: null, data: Buffer.from(message.value(Attribute.data) ?? []) });
      return;
    }
    this.#waiting.get(message.transactionId.toString("latin1"))?.(bytes);
  }

  #received(data: PeerData): void {
    this.received.push(data);
    for (const listener of this.#listeners) listener();
  }

  #reply(bytes: Buffer): TurnReply {
    const message = new StunMessage();
    message.decode(bytes, 0, bytes.length);
    const error = message.value(Attribute.errorCode);
    const code = error === null ? "success" : error.readUInt8(2) * 100 + error.readUInt8(3);
    const kind = this.#options.passwordHash == null ? "sha1" : "sha256";
    return { code, message, bytes, sealed: hasValidIntegrity(message, kind, this.key()) };
  }
}

/** The server did not answer, which is what some requests deserve. */
export class NoAnswer extends Error {
  constructor(timeoutMs: number) {
    super(`no answer in ${timeoutMs} ms`);
  }
}

export function xorAddressOf(reply: TurnReply, type: number, occurrence = 0): TransportAddress {
  let index = reply.message.find(type);
  for (let skip = 0; skip < occurrence; skip++) index = reply.message.findNext(type, index + 1);
  const address = new TransportAddress();
  if (index < 0 || readXorAddress(reply.message, index, address) !== null) throw new Error("no such address");
  return address;
}

export function relayedAddress(reply: TurnReply, occurrence = 0): TransportAddress {
  return xorAddressOf(reply, Attribute.xorRelayedAddress, occurrence);
}
