import { expect, test } from "vitest";
import { parseAppArguments } from "../../main/shell/app-arguments.ts";
import { linkOf, takeLink } from "../../main/shell/app-link.ts";
import { KithError } from "../../protocol/errors.ts";
import { NetworkId } from "../../protocol/identifiers.ts";
import { parseInvitation } from "../../protocol/invitation.ts";

const TOKEN = "abcdefghijklmnopqrstuvwxyz012345";
const LINK = `kith:join?server=https%3A%2F%2Fx.example&invitation=${TOKEN}`;

/** As the client core does, but for the session. */
const client = {
  openLink: (link: string) => {
    parseInvitation(link);
    return null;
  },
};
const unasked = () => {
  throw new Error("nobody is to be asked");
};

test("a link on the command line is found among the options", () => {
  expect(parseAppArguments(["--no-sandbox", "--profile=/p", LINK], "/d")).toMatchObject({ link: LINK, profile: "/p" });
  expect(parseAppArguments(["--profile=/p"], "/d").link).toBeNull();
});

test("what stands after a link is no option of ours", () => {
  const read = parseAppArguments([LINK, "--profile=/tmp/evil", "--login-server=https://evil.example"], "/d");
  expect(read).toEqual({ profile: "/d/profile", loginServer: "", ringMs: null, windowPosition: null, link: LINK });
});

test("a good link goes into the form", () => {
  expect(takeLink(client, LINK, unasked)).toBeNull();
  expect(takeLink(client, null, unasked)).toBeNull();
});

test.each([
  ["another action", "kith:delete-account"],
  ["a path on this machine", "kith:///etc/passwd"],
  ["a script behind it", `${LINK}&x=javascript:alert(1)`],
  ["a server of plain http", `kith:join?server=http%3A%2F%2Fx.example&invitation=${TOKEN}`],
  ["an object", { toString: () => LINK }],
  ["a number", 7],
  ["very much", `kith:${"a".repeat(1_000_000)}`],
])("%s is told as no invitation", (_, link) => {
  expect(takeLink(client, link, unasked)).toMatchObject({ code: "invitation-malformed" });
});

test("who is signed in is told, and stays signed in", () => {
  const busy = {
    openLink: () => {
      throw new KithError("already-signed-in");
    },
  };
  expect(takeLink(busy, LINK, unasked)).toMatchObject({ code: "already-signed-in" });
});

test("the user is asked about a network's key that a link wants confirmed", () => {
  const fingerprint = NetworkId.parse("0a".repeat(20));
  const asked: string[] = [];
  expect(takeLink({ openLink: () => fingerprint }, "kith:key", (key) => void asked.push(key))).toBeNull();
  expect(asked).toEqual([fingerprint]);
});

test.each([null, undefined, "x", 1, [], { other: 1 }])("%j of a second process holds no link", (data) => {
  expect(linkOf(data) ?? null).toBeNull();
});
