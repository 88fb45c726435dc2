/** Another protocol on the UDP port of the TURN server: each gets its own packets, by both ways to do UDP. */
import { createSocket, type Socket } from "node:dgram";
import { afterEach, describe, expect, it } from "vitest";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { startTestTurnServer } from "../support/turn-test-server.ts";
import { until } from "../support/until.ts";

const FIRST_BYTE = 0xf1;
const ways = process.platform === "linux" ? (["batched", "portable"] as const) : (["portable"] as const);

describe.each(ways)("a neighbour of the %s TURN server", (udp) => {
  const cleanUps: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  it("hears what begins with its byte and nothing else, keeps what it heard, and answers from the same port", async () => {
    const heard: Uint8Array[] = [];
    const turn = await startTestTurnServer({
      udp,
      neighbour: { firstByte: FIRST_BYTE, receive: (datagram) => heard.push(datagram) },
    });
    cleanUps.push(() => turn.close());
    const stranger = createSocket("udp4");
    await new Promise<void>((resolve) => stranger.bind(0, "127.0.0.1", resolve));
    cleanUps.push(() => closed(stranger));
    const answers: { text: string; port: number }[] = [];
    stranger.on("message", (answer, { port }) => answers.push({ text: answer.toString("latin1"), port }));

    const sent = Array.from({ length: 200 }, (_, number) => Uint8Array.of(FIRST_BYTE, number, 255 - number));
    for (const datagram of sent) {
      stranger.send(datagram, turn.udpPort, "127.0.0.1");
      // STUN, channel data, DTLS, nothing at all: not the neighbour's.
      for (const first of [0, 3, 64, 79, 22, 255]) stranger.send(Uint8Array.of(first, 1), turn.udpPort, "127.0.0.1");
      stranger.send(new Uint8Array(0), turn.udpPort, "127.0.0.1");
      await new Promise((resolve) => setImmediate(resolve));
    }
    const client = await turn.client();
    expect((await client.allocate()).code).toBe("success");
    await until(() => heard.length === sent.length);
    // The server's own memory of these packets has been used for others since.
    expect(heard.map((datagram) => [...datagram])).toEqual(sent.map((datagram) => [...datagram]));

    const to = TransportAddress.parse("127.0.0.1", stranger.address().port) as TransportAddress;
    turn.server.sendForNeighbour(Uint8Array.of(FIRST_BYTE, 7), to);
    await until(() => answers.some(({ text }) => text === "\u00f1\u0007"));
    expect(answers.find(({ text }) => text === "\u00f1\u0007")?.port).toBe(turn.udpPort);
    expect(turn.errors).toEqual([]);
  });
});

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}
