/** Certificates of other supernodes must not have this one knock at doors inside its own network. */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DialPolicy } from "../../relay/links/dial-policy.ts";
import { HostNames } from "../../relay/membership/host-names.ts";

const INSIDE = [
  "127.0.0.1",
  "::1",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.9.9",
  "192.168.1.1",
  "100.64.0.1",
  "169.254.169.254",
  "fe80::1",
  "fd00::1",
  "::ffff:192.168.1.1",
  "64:ff9b::7f00:1",
  "224.0.0.1",
];
const OUTSIDE = ["8.8.8.8", "2a00:1450:4001::1"];

describe("a supernode of a public network", () => {
  for (const host of ["203.0.114.7", "relay.example.org"]) {
    const policy = new DialPolicy(host, []);

    it.each(INSIDE)(`that is known as ${host} does not dial %s`, (address) => {
      expect(policy.allows(address)).toBe(false);
    });

    it.each(OUTSIDE)(`that is known as ${host} dials %s`, (address) => {
      expect(policy.allows(address)).toBe(true);
    });
  }

  it("dials inside its network what its operator has opened, and nothing beside it", () => {
    const policy = new DialPolicy("203.0.114.7", ["10.1.0.0/16"]);
    expect(policy.allows("10.1.2.3")).toBe(true);
    expect(policy.allows("10.2.2.3")).toBe(false);
  });
});

describe("a network that is not public as a whole", () => {
  it("on one machine is dialled there, and nowhere else inside", () => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) {
      const policy = new DialPolicy(host, []);
      expect(["127.0.0.1", "127.0.0.9", "::1"].every((address) => policy.allows(address))).toBe(true);
      expect(["192.168.1.1", "10.0.0.1", "169.254.169.254"].some((address) => policy.allows(address))).toBe(false);
    }
  });

  it("in a house or a company is dialled there, but never the machine itself or a cloud's metadata service", () => {
    const policy = new DialPolicy("192.168.1.5", []);
    expect(["192.168.1.9", "10.0.0.1", "fd00::1"].every((address) => policy.allows(address))).toBe(true);
    expect(["127.0.0.1", "::1", "169.254.169.254", "fe80::1"].some((address) => policy.allows(address))).toBe(false);
  });
});

describe("by TCP", () => {
  let server: Server;
  let connections = 0;

  beforeEach(async () => {
    connections = 0;
    server = createServer((socket) => {
      connections++;
      socket.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  afterEach(() => {
    server.close();
  });

  const port = () => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  };

  it("an address inside is not even knocked at, and neither is a name that leads there", async () => {
    const policy = new DialPolicy("203.0.114.7", []);
    await expect(policy.open("127.0.0.1", port())).rejects.toMatchObject({ code: "supernode-unreachable" });
    await expect(policy.open("localhost", port())).rejects.toMatchObject({ code: "supernode-unreachable" });
    expect(connections).toBe(0);
  });

  it("a network on one machine reaches itself, by address and by name", async () => {
    const policy = new DialPolicy("127.0.0.1", []);
    for (const host of ["127.0.0.1", "localhost"]) (await policy.open(host, port())).destroy();
    expect(policy.allows("127.0.0.1")).toBe(true);
  });
});

it("by UDP, nothing is sent to an address inside", () => {
  const policy = new DialPolicy("203.0.114.7", []);
  const names = new HostNames((address) => policy.allows(address));
  expect(names.addressOf("192.168.1.1")).toBeNull();
  expect(names.addressOf("8.8.8.8")).toBe("8.8.8.8");
});
