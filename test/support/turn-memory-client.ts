/** A client of the server without an operating system: every request is answered before it returns. */
import { longTermKey } from "../../relay/turn/long-term-key.ts";
import { Attribute, StunClass, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { hasValidIntegrity } from "../../relay/turn/stun-integrity.ts";
import { StunMessage } from "../../relay/turn/stun-message.ts";
import { StunWriter } from "../../relay/turn/stun-writer.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";

export interface MemoryReply {
  readonly code: number | "success";
  readonly message: StunMessage;
  readonly bytes: Buffer;
}

/** The server, as far as a client needs it. */
export interface TurnExchange {
  nextTransaction(): number;
  exchange(bytes: Uint8Array, from: TransportAddress): Buffer[];
}

type Attributes = (writer: StunWriter) => void;

export class MemoryClient {
  readonly address: TransportAddress;
  readonly turn: TurnExchange;
  username: string;
  password: string;
  realm = "";
  nonce = "";
  offer: Buffer | null = null;
  /** Whether to answer as RFC 8489 clients do. */
  hash: "md5" | "sha256" | null = null;

  constructor(turn: TurnExchange, address: TransportAddress, login: { username: string; password: string }) {
    this.turn = turn;
    this.address = address;
    this.username = login.username;
    this.password = login.password;
  }

  writer(method: number, messageClass: number = StunClass.request): StunWriter {
    const id = Buffer.alloc(12);
    id.writeUInt32BE(this.turn.nextTransaction(), 8);
    return new StunWriter(method, messageClass, id, 20_000);
  }

  key(): Buffer {
    return longTermKey(this.hash ?? "md5", this.username, this.realm, this.password);
  }

  sealed(method: number, attributes: Attributes = () => {}): Buffer {
    const writer = this.writer(method);
    attributes(writer);
    writer.text(Attribute.username, this.username).text(Attribute.realm, this.realm).text(Attribute.nonce, this.nonce);
    if (this.hash !== null) {
      writer.bytes(Attribute.passwordAlgorithms, this.offer ?? Buffer.alloc(0));
      writer.u32(Attribute.passwordAlgorithm, this.hash === "md5" ? 0x10000 : 0x20000);
    }
    return writer.integrity(this.hash === null ? "sha1" : "sha256", this.key()).finish();
  }

  /** @returns null if the server did not answer */
  ask(bytes: Uint8Array): MemoryReply | null {
    const [answer] = this.turn.exchange(bytes, this.address);
    if (answer === undefined) return null;
    const message = new StunMessage();
    const fault = message.decode(answer, 0, answer.length);
    if (fault !== null) throw new Error(`the answer is no STUN message: ${fault}`);
    const error = message.value(Attribute.errorCode);
    return { code: error === null ? "success" : error.readUInt8(2) * 100 + error.readUInt8(3), message, bytes: answer };
  }

  isSealed(reply: MemoryReply): boolean {
    return hasValidIntegrity(reply.message, this.hash === null ? "sha1" : "sha256", this.key());
  }

  request(method: number, attributes: Attributes = () => {}): MemoryReply {
    const reply = this.ask(this.sealed(method, attributes));
    if (reply === null) throw new Error("no answer");
    return reply;
  }

  /** Asks without credentials and keeps the challenge. */
  challenge(): MemoryReply {
    const reply = this.ask(this.writer(StunMethod.allocate).u32(Attribute.requestedTransport, UDP).finish());
    if (reply === null) throw new Error("no challenge");
    this.realm = reply.message.text(Attribute.realm) ?? "";
    this.nonce = reply.message.text(Attribute.nonce) ?? "";
    this.offer = Buffer.from(reply.message.value(Attribute.passwordAlgorithms) ?? []);
    return reply;
  }

  allocate(attributes: Attributes = () => {}): MemoryReply {
    if (this.nonce === "") this.challenge();
    return this.request(StunMethod.allocate, (writer) => {
      writer.u32(Attribute.requestedTransport, UDP);
      attributes(writer);
    });
  }

  refresh(lifetimeS: number | null, attributes: Attributes = () => {}): MemoryReply {
    return this.request(StunMethod.refresh, (writer) => {
      if (lifetimeS !== null) writer.u32(Attribute.lifetime, lifetimeS);
      attributes(writer);
    });
  }

  permit(...peers: readonly string[]): MemoryReply {
    return this.request(StunMethod.createPermission, (writer) => {
      for (const peer of peers) writer.xorAddress(Attribute.xorPeerAddress, parsePeer(peer));
    });
  }

  bind(channel: number, peer: string): MemoryReply {
    return this.request(StunMethod.channelBind, (writer) => {
      writer.u32(Attribute.channelNumber, channel * 0x10000).xorAddress(Attribute.xorPeerAddress, parsePeer(peer));
    });
  }

  sendTo(peer: string, data: Uint8Array, attributes: Attributes = () => {}): void {
    const writer = this.writer(StunMethod.send, StunClass.indication);
    writer.xorAddress(Attribute.xorPeerAddress, parsePeer(peer)).bytes(Attribute.data, data);
    attributes(writer);
    this.turn.exchange(writer.finish(), this.address);
  }

  sendChannel(channel: number, data: Uint8Array): void {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(channel, 0);
    head.writeUInt16BE(data.length, 2);
    this.turn.exchange(Buffer.concat([head, data]), this.address);
  }
}

/** REQUESTED-TRANSPORT for UDP. */
export const UDP = 17 * 0x1000000;
export const WANT_IPV4 = 0x01000000;
export const WANT_IPV6 = 0x02000000;

/** @param text "192.0.2.1:80", "[2001:db8::1]:80", or an address alone, which gets port 9 */
export function parsePeer(text: string): TransportAddress {
  const parts = /^\[(.*)\]:(\d+)$|^([^:]+):(\d+)$/.exec(text);
  const host = parts?.[1] ?? parts?.[3] ?? text;
  const address = TransportAddress.parse(host, Number(parts?.[2] ?? parts?.[4] ?? 9));
  if (address === null) throw new Error(`${text} is no address`);
  return address;
}
