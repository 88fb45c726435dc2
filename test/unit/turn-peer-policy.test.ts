import { describe, expect, it } from "vitest";
import { IpRange } from "../../relay/turn/ip-range.ts";
import { PeerPolicy } from "../../relay/turn/peer-policy.ts";
import { Attribute, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { EXTERNAL_IPV4, MemoryTurn } from "../support/turn-memory.ts";
import { parsePeer, WANT_IPV6 } from "../support/turn-memory-client.ts";

/** One address of each refused range. */
const REFUSED_IPV4 = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.8",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.0.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.7",
  "203.0.113.7",
  "224.0.0.1",
  "239.255.255.250",
  "240.0.0.1",
  "255.255.255.255",
  EXTERNAL_IPV4,
];

const ALLOWED_IPV4 = [
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
];

const REFUSED_IPV6 = [
  "::",
  "::1",
  "::2",
  "fc00::1",
  "fd00::2",
  "fe80::1",
  "febf::1",
  "fec0::1",
  "ff02::1",
  "ff0e::1",
  "100::1",
  "2001:db8::1",
  "2001:db8:ffff::1",
  "2001:2::1",
  "2001:10::1",
  "2001:20::1",
  "3fff:fff::1",
  "64:ff9b:1::a00:1",
  "4000::1",
];

/** The ways to write an IPv4 address in an IPv6 one. */
const EMBEDDINGS: [string, (ipv4: string) => string][] = [
  ["IPv4-mapped", (ipv4) => `::ffff:${ipv4}`],
  ["IPv4-compatible", (ipv4) => `::${ipv4}`],
  ["IPv4-translated", (ipv4) => `::ffff:0:${ipv4}`],
  ["NAT64", (ipv4) => `64:ff9b::${ipv4}`],
  ["6to4", (ipv4) => `2002:${groups(ipv4)}::1`],
  ["Teredo's server", (ipv4) => `2001:0:${groups(ipv4)}:0:0:fefe:fefe`],
  ["Teredo's client", (ipv4) => `2001:0:101:101:0:0:${groups(ipv4, 0xffff)}`],
  ["ISATAP", (ipv4) => `2a01:1:0:0:0:5efe:${groups(ipv4)}`],
  ["ISATAP, universal", (ipv4) => `2a01:1:0:0:200:5efe:${groups(ipv4)}`],
];

function groups(ipv4: string, flip = 0): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
  return `${((a * 256 + b) ^ flip).toString(16)}:${((c * 256 + d) ^ flip).toString(16)}`;
}

function policy(allowed: string[] = [], denied: string[] = []): PeerPolicy {
  const ranges = (texts: string[]) => texts.map((text) => IpRange.parse(text) as IpRange);
  const made = new PeerPolicy({ allowed: ranges(allowed), denied: ranges(denied) });
  made.setOwn({
    hosts: [parsePeer("10.0.0.5"), parsePeer(EXTERNAL_IPV4), parsePeer("127.0.0.1"), parsePeer("2a01:7::1")],
    relayHosts: [parsePeer(EXTERNAL_IPV4)],
    servicePorts: new Set([3478]),
  });
  return made;
}

const allows = (made: PeerPolicy, host: string, port = 9) =>
  made.allows(parsePeer(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`), false);

describe("peers are refused", () => {
  it.each(REFUSED_IPV4)("at %s", (host) => {
    expect(allows(policy(), host)).toBe(false);
  });

  it.each(REFUSED_IPV6)("at %s", (host) => {
    expect(allows(policy(), host)).toBe(false);
    expect(policy().allowsHost(parsePeer(host))).toBe(false);
  });

  it.each(EMBEDDINGS)("at any refused IPv4 address in its %s form", (_, embed) => {
    const granted = REFUSED_IPV4.filter((host) => allows(policy(), embed(host)));
    expect(granted).toEqual([]);
  });

  it("at a public IPv4 address in a form that no peer has on the wire", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.allocate((writer) => writer.u32(Attribute.additionalAddressFamily, WANT_IPV6));
    const wrapped = client.request(StunMethod.createPermission, (writer) => {
      // ::ffff:1.1.1.1 by hand, because our own writer cannot be brought to say it.
      const transactionId = writer.finish().subarray(8, 20);
      const value = Buffer.alloc(20);
      value.writeUInt16BE(2, 0);
      value.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 1, 1, 1], 4);
      const mask = Buffer.concat([Buffer.from([0x21, 0x12, 0xa4, 0x42]), transactionId]);
      for (let index = 0; index < 16; index++) value[4 + index] = (value[4 + index] ?? 0) ^ (mask[index] ?? 0);
      writer.bytes(Attribute.xorPeerAddress, value);
    });
    expect(wrapped.code).toBe(403);
  });
});

describe("peers are allowed", () => {
  it.each([...ALLOWED_IPV4, "2606:4700::1111", "2a00:1450:4001::5"])("at %s", (host) => {
    expect(allows(policy(), host)).toBe(true);
    expect(policy().allowsHost(parsePeer(host))).toBe(true);
  });

  it.each(["64:ff9b::1.1.1.1", "2002:101:101::1", "2001:0:101:101:0:0:fefe:fefe"])(
    "at %s, which leads to a public IPv4 address",
    (host) => {
      expect(allows(policy(), host)).toBe(true);
    },
  );
});

describe("the operator's ranges", () => {
  it("open what is refused, and close what is not", () => {
    const lab = policy(["10.7.0.0/16", "fd00:7::/32"], ["1.1.1.0/24", "2606:4700::/32"]);
    expect(["10.7.1.1", "fd00:7::1"].map((host) => allows(lab, host))).toEqual([true, true]);
    expect(["10.8.1.1", "fd00:8::1", "1.1.1.1", "2606:4700::1111"].map((host) => allows(lab, host))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it("do not open this machine unless they name it, and never its own service ports", () => {
    expect(allows(policy(["10.0.0.0/8"]), "10.0.0.5")).toBe(false);
    expect(allows(policy(["10.0.0.5"]), "10.0.0.5")).toBe(true);
    expect(allows(policy(["10.0.0.5/32"]), "10.0.0.5", 3478)).toBe(false);
    expect(allows(policy(["127.0.0.0/8"]), "127.0.0.1", 5000)).toBe(true);
    expect(allows(policy(["127.0.0.0/8"]), "127.0.0.1", 3478)).toBe(false);
    expect(allows(policy(["10.0.0.0/8"]), "2002:a00:1::1")).toBe(false);
  });

  it.each(["10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "fd00::/129", "everything", "", "10.0.0.0/8/8", "10.0.0.0/"])(
    "that read %j are refused",
    (text) => {
      expect(IpRange.parse(text)).toBeNull();
    },
  );

  it("end where their prefix ends", () => {
    const range = IpRange.parse("198.18.0.0/15") as IpRange;
    const inside = (host: string) => range.contains(TransportAddress.parse(host, 0) as TransportAddress);
    expect(["198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"].map(inside)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});

describe("the server itself", () => {
  it("asks the policy at CreatePermission, at ChannelBind and at every Send", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.allocate((writer) => writer.u32(Attribute.additionalAddressFamily, WANT_IPV6));
    const hosts = [...REFUSED_IPV4.filter((host) => host !== EXTERNAL_IPV4), ...REFUSED_IPV6];
    for (const host of hosts) {
      turn.pass(1_000);
      expect([host, client.permit(host).code]).toEqual([host, 403]);
      expect([host, client.bind(0x4000, host.includes(":") ? `[${host}]:9` : `${host}:9`).code]).toEqual([host, 403]);
    }
    // The external address is permitted for the sake of other relays on it; its ports are looked at one by one.
    expect(client.permit(EXTERNAL_IPV4).code).toBe("success");
    client.sendTo(`${EXTERNAL_IPV4}:22`, Buffer.from("x"));
    expect(turn.udp.sockets.filter((socket) => socket !== turn.listening).flatMap((socket) => socket.sent)).toEqual([]);
  });
});
