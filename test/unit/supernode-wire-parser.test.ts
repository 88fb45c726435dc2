import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Decoder, Encoder, type Packet } from "../../protocol/wire-parser.ts";

function decode(frame: unknown): Packet {
  const decoder = new Decoder();
  const decoded: Packet[] = [];
  decoder.on("decoded", (packet: Packet) => decoded.push(packet));
  decoder.add(frame);
  expect(decoded).toHaveLength(1);
  return decoded[0] as Packet;
}

const EVENT = 2;
const bytes = fc.uint8Array({ maxLength: 200 });
const field = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), bytes);
const body = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    field,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string({ minLength: 1, maxLength: 6 }), tie("value"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

/** Buffers and Uint8Arrays carry the same bytes under two prototypes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  }
  return value;
}

describe("the wire parser", () => {
  it("sends every packet as one frame and gets it back whole", () => {
    fc.assert(
      fc.property(body, fc.option(fc.nat(), { nil: undefined }), (value, id) => {
        const frames = new Encoder().encode({ type: EVENT, nsp: "/", data: ["name", value], id });
        expect(frames).toHaveLength(1);
        const packet = decode(frames[0]);
        // JSON knows no negative zero.
        const wanted = JSON.parse(JSON.stringify(plain(["name", value])));
        expect(plain(packet.data)).toEqual(wanted);
        expect(packet.id).toBe(id);
      }),
    );
  });

  it("carries a thousand byte fields in one packet", () => {
    const fields = Array.from({ length: 1_000 }, (_, index) => new Uint8Array([index % 256, 7]));
    const [frame] = new Encoder().encode({ type: EVENT, nsp: "/", data: ["name", { fields }] });
    expect(plain(decode(frame).data)).toEqual(plain(["name", { fields }]));
  });

  it("refuses malformed frames with an error and nothing else", () => {
    const head = (json: string, tail = "") => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(json));
      return Buffer.concat([length, Buffer.from(json), Buffer.from(tail)]);
    };
    const nested = `${'{"a":'.repeat(40)}1${"}".repeat(40)}`;
    for (const frame of [
      "",
      "0",
      "[]",
      '{"t":9,"n":"/","d":["x"]}',
      '{"t":2,"n":"/","d":["disconnect"]}',
      '{"t":2,"n":"/","d":["error"]}',
      '{"t":2,"n":"/","d":[1]}',
      '{"t":2,"n":"/","d":{}}',
      '{"t":3,"n":"/","i":-1,"d":[]}',
      '{"t":2,"d":["x"]}',
      '{"t":0,"n":"/admin"}',
      '{"t":0,"n":"__proto__"}',
      Buffer.alloc(0),
      Buffer.alloc(3),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 1]),
      head('{"t":2,"n":"/","d":["x",{"$bytes":[0,4]}]}', "abc"),
      head('{"t":2,"n":"/","d":["x",{"$bytes":[-1,2]}]}', "abc"),
      head('{"t":2,"n":"/","d":["x",{"$bytes":[0,1e99]}]}', "abc"),
      head('{"t":2,"n":"/","d":["x",{"$bytes":"0"}]}', "abc"),
      head(`{"t":2,"n":"/","d":["x",${nested}]}`),
      undefined,
      42,
    ]) {
      expect(() => decode(frame), String(frame)).toThrow();
    }
  });

  it("lets a connection begin once", () => {
    const decoder = new Decoder();
    decoder.add('{"t":0,"n":"/"}');
    expect(() => decoder.add('{"t":0,"n":"/"}')).toThrow("a second beginning");
    decoder.add('{"t":1,"n":"/"}');
    expect(() => decoder.add('{"t":0,"n":"/"}')).toThrow("a second beginning");
    decoder.destroy();
    decoder.add('{"t":0,"n":"/"}');
  });

  it("survives any frame", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), bytes), (frame) => {
        try {
          decode(typeof frame === "string" ? frame : Buffer.from(frame));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("does not let a packet reach the prototype of all objects", () => {
    const json = '{"t":2,"n":"/","d":["x",{"__proto__":{"polluted":true},"b":{"$bytes":[0,1]}}]}';
    const length = Buffer.alloc(4);
    length.writeUInt32BE(json.length);
    decode(Buffer.concat([length, Buffer.from(json), Buffer.from([1])]));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
