/** One client of the load: makes an allocation, then sends and receives a call's packets. */
import { randomBytes } from "node:crypto";
import { longTermKey } from "../relay/turn/long-term-key.ts";
import { readXorAddress } from "../relay/turn/stun-address.ts";
import { Attribute, StunClass, StunMethod, TRANSPORT_UDP } from "../relay/turn/stun-attributes.ts";
import { StunMessage } from "../relay/turn/stun-message.ts";
import { StunWriter } from "../relay/turn/stun-writer.ts";
import { TransportAddress } from "../relay/turn/transport-address.ts";
import { Failure } from "./failure.ts";
import type { LoadNetwork, LoadPipe } from "./turn-load-pipes.ts";

export type LoadMode = "channels" | "indications";

export interface LoadLogin {
  readonly username: string;
  readonly password: string;
}

const CHANNEL = 0x4000;
/** In an indication of an IPv4 peer: after the header of 20 bytes, XOR-PEER-ADDRESS of 12, and DATA's header of 4. */
const INDICATED_DATA_AT = 36;
const ANSWER_MS = 1_000;
const ATTEMPTS = 5;

export class LoadClient {
  readonly pipe: LoadPipe;
  /** Where peers send to. */
  readonly relayed = new TransportAddress();
  readonly #network: LoadNetwork;
  readonly #login: LoadLogin;
  readonly #message = new StunMessage();
  #realm = "";
  #nonce = "";

  constructor(network: LoadNetwork, login: LoadLogin) {
    this.#network = network;
    this.#login = login;
    this.pipe = network.openPipe();
  }

  /** Allocates, and lets the peer in. @throws Failure when the server refuses */
  allocate(peer: TransportAddress, mode: LoadMode): void {
    const challenge = this.#ask(this.#request(StunMethod.allocate, askForUdp).finish());
    if (codeOf(challenge) !== 401) throw new Failure(`The server answered Allocate with ${codeOf(challenge)}.`);
    this.#realm = challenge.text(Attribute.realm) ?? "";
    this.#nonce = challenge.text(Attribute.nonce) ?? "";
    const allocated = this.#askSealed(StunMethod.allocate, askForUdp);
    readXorAddress(allocated, allocated.find(Attribute.xorRelayedAddress), this.relayed);
    if (mode === "channels") {
      this.#askSealed(StunMethod.channelBind, (writer) => {
        writer.u32(Attribute.channelNumber, CHANNEL * 0x10000).xorAddress(Attribute.xorPeerAddress, peer);
      });
    } else {
      this.#askSealed(StunMethod.createPermission, (writer) => writer.xorAddress(Attribute.xorPeerAddress, peer));
    }
  }

  #request(method: number, attributes: (writer: StunWriter) => void): StunWriter {
    const writer = new StunWriter(method, StunClass.request, randomBytes(12));
    attributes(writer);
    return writer;
  }

  #askSealed(method: number, attributes: (writer: StunWriter) => void): StunMessage {
    const { username, password } = this.#login;
    const writer = this.#request(method, attributes)
      .text(Attribute.username, username)
      .text(Attribute.realm, this.#realm)
      .text(Attribute.nonce, this.#nonce)
      .integrity("sha1", longTermKey("md5", username, this.#realm, password));
    const answer = this.#ask(writer.finish());
    if (answer.messageClass === StunClass.success) return answer;
    throw new Failure(`The server answered method ${method} with ${codeOf(answer)}.`);
  }

  #ask(request: Buffer): StunMessage {
    const id = request.subarray(8, 20);
    let answer: StunMessage | null = null;
    this.pipe.onMessage = (packet, start, end) => {
      const bytes = Buffer.from(packet.subarray(start, end));
      if (this.#message.decode(bytes, 0, bytes.length) === null && this.#message.transactionId.equals(id)) {
        answer = this.#message;
      }
    };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.pipe.send(request, 0, request.length);
      const until = performance.now() + ANSWER_MS;
      while (answer === null && performance.now() < until) this.#network.receive();
      if (answer !== null) return answer;
    }
    throw new Failure("The server does not answer.");
  }
}

function askForUdp(writer: StunWriter): void {
  writer.u32(Attribute.requestedTransport, TRANSPORT_UDP * 0x1000000);
}

function codeOf(message: StunMessage): number | "success" {
  const error = message.value(Attribute.errorCode);
  return error === null ? "success" : error.readUInt8(2) * 100 + error.readUInt8(3);
}

/** A packet that a client sends, around `data`; the same one for all clients. @returns it, and where the data begins */
export function clientPacket(data: Buffer, peer: TransportAddress, mode: LoadMode): { packet: Buffer; dataAt: number } {
  if (mode === "channels") {
    const packet = Buffer.concat([Buffer.alloc(4), data]);
    packet.writeUInt16BE(CHANNEL, 0);
    packet.writeUInt16BE(data.length, 2);
    return { packet, dataAt: 4 };
  }
  const writer = new StunWriter(StunMethod.send, StunClass.indication, randomBytes(12), 2_048);
  const packet = writer.xorAddress(Attribute.xorPeerAddress, peer).bytes(Attribute.data, data).finish();
  return { packet, dataAt: INDICATED_DATA_AT };
}

/** Where the payload begins in what a client receives. */
export function payloadAt(packet: Buffer, start: number): number {
  if (packet.readUInt8(start) >> 6 === 1) return start + 4;
  // Servers may put either attribute first.
  return start + (packet.readUInt16BE(start + 20) === Attribute.data ? 24 : INDICATED_DATA_AT);
}
