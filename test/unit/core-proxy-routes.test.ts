import { expect, test } from "vitest";
import { Routes } from "../../main/core/proxy.ts";

test.each([
  ["DIRECT", false],
  ["", false],
  ["nonsense", false],
  ["SOCKS5 proxy.example.org:1080", false],
  ["SOCKS5 proxy.example.org:1080; PROXY proxy.example.org:3128", true],
  ["DIRECT; PROXY proxy.example.org:3128", false],
  ["PROXY [2001:db8::1]:3128", true],
  ["HTTPS proxy.example.org:443", true],
] as const)("the answer %j means a proxy: %s", async (answer, isProxied) => {
  const open = await new Routes(async () => answer).to("https://sn1.example.org:443");
  expect(open !== null).toBe(isProxied);
});
