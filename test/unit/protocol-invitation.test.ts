import fc from "fast-check";
import { expect, test } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { NetworkId } from "../../protocol/identifiers.ts";
import {
  appLink,
  confirmationLink,
  InvitationToken,
  parseConfirmation,
  parseInvitation,
  webLink,
} from "../../protocol/invitation.ts";

const TOKEN = InvitationToken.parse("abcdefghijklmnopqrstuvwxyz012-_9");
const NETWORK = NetworkId.parse("0123456789abcdef0123456789abcdef01234567");
const KEY = NetworkId.parse("ba".repeat(20));

test("both links say the server and the token, and the app's also the network", () => {
  const loginServer = "https://login.example.org";
  expect(parseInvitation(webLink(loginServer, TOKEN))).toEqual({
    loginServer,
    token: TOKEN,
    networkId: null,
    networkKey: null,
  });
  const told = { loginServer, token: TOKEN, networkId: NETWORK };
  expect(parseInvitation(appLink(loginServer, TOKEN, NETWORK, NETWORK))).toEqual({ ...told, networkKey: null });
  expect(parseInvitation(appLink(loginServer, TOKEN, NETWORK, KEY))).toEqual({ ...told, networkKey: KEY });
});

test("a network's key is confirmed by a link of its own, or by an invitation that names it", () => {
  const confirmed = { networkId: NETWORK, networkKey: KEY };
  expect(parseConfirmation(` ${confirmationLink(NETWORK, KEY)}\n`)).toEqual(confirmed);
  expect(parseConfirmation(appLink("https://x.example", TOKEN, NETWORK, KEY))).toEqual(confirmed);
  const others = [
    appLink("https://x.example", TOKEN, NETWORK),
    webLink("https://x.example", TOKEN),
    `kith:key?network=${NETWORK}`,
    `kith:key?network=${NETWORK}&key=${KEY}&key=${NETWORK}`,
    `kith:key?network=${NETWORK}&key=${KEY.toUpperCase()}`,
  ];
  for (const link of others) expect(parseConfirmation(link)).toBeNull();
});

test("plain http is for this computer itself", () => {
  expect(parseInvitation(webLink("http://127.0.0.1:7440", TOKEN)).loginServer).toBe("http://127.0.0.1:7440");
  expect(() => parseInvitation(webLink("http://login.example.org", TOKEN))).toThrow(KithError);
});

test.each([
  ["with space around it", `  https://x.example/i/${TOKEN}\n`],
  ["as some systems hand it over", `kith://join/?server=https%3A%2F%2Fx.example&invitation=${TOKEN}`],
  ["in capitals", `KITH:join?server=https%3A%2F%2Fx.example&invitation=${TOKEN}`],
])("a link is understood %s", (_, link) => {
  expect(parseInvitation(link)).toMatchObject({ loginServer: "https://x.example", token: TOKEN });
});

const server = "server=https%3A%2F%2Fx.example";
test.each([
  ["nothing", ""],
  ["another scheme", `javascript:join?${server}&invitation=${TOKEN}`],
  ["a file", `file:///i/${TOKEN}`],
  ["another action", `kith:leave?${server}&invitation=${TOKEN}`],
  ["a field that nobody knows", `kith:join?${server}&invitation=${TOKEN}&profile=/etc`],
  ["a server twice", `kith:join?${server}&server=https%3A%2F%2Fevil.example&invitation=${TOKEN}`],
  ["an invitation twice", `kith:join?${server}&invitation=${TOKEN}&invitation=${TOKEN}`],
  ["no server", `kith:join?invitation=${TOKEN}`],
  ["a short token", `kith:join?${server}&invitation=abc`],
  ["a token with a slash", `kith:join?${server}&invitation=${TOKEN.slice(1)}%2F`],
  ["markup for a token", `https://x.example/i/<script>alert(1)</script>aaaaaaaa`],
  ["a server with a password", `kith:join?server=https%3A%2F%2Fme%3Apw%40x.example&invitation=${TOKEN}`],
  ["a server with a path", `kith:join?server=https%3A%2F%2Fx.example%2Fa&invitation=${TOKEN}`],
  ["a server that is a script", `kith:join?server=javascript%3Aalert(1)&invitation=${TOKEN}`],
  ["a server in letters that look like others", `kith:join?server=https%3A%2F%2Fx%D0%B0.example&invitation=${TOKEN}`],
  ["a network that is none", `kith:join?${server}&network=xyz&invitation=${TOKEN}`],
  ["a switch of the command line", "--remote-debugging-port=9222"],
  ["a line break inside", `kith:join?${server}\n&invitation=${TOKEN}`],
  ["far too much", `kith:join?${server}&invitation=${TOKEN}${"&a=b".repeat(1_000)}`],
])("%s is no invitation", (_, link) => {
  expect(() => parseInvitation(link)).toThrowError(expect.objectContaining({ code: "invitation-malformed" }));
});

test("whatever arrives is an invitation of ours or refused by its code", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        fc.string().map((text) => `kith:join?${text}`),
      ),
      (link) => {
        try {
          const { loginServer, token } = parseInvitation(link);
          expect(new URL(loginServer).origin).toBe(loginServer);
          expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
        } catch (error) {
          expect(error).toMatchObject({ code: "invitation-malformed" });
        }
      },
    ),
  );
});
