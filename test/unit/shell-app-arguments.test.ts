import { expect, test } from "vitest";
import { parseAppArguments } from "../../main/shell/app-arguments.ts";
import { KithError } from "../../protocol/errors.ts";

test("our options are read among Chromium's", () => {
  const read = parseAppArguments(
    [
      "--no-sandbox",
      "--window-position=970,-4",
      "--profile=/p/alice",
      "--inspect=0",
      "--login-server=http://127.0.0.1:1",
      "--ring-ms=2000",
    ],
    "/home/user/.config/Kith",
  );
  expect(read).toEqual({
    profile: "/p/alice",
    loginServer: "http://127.0.0.1:1",
    ringMs: 2000,
    windowPosition: { x: 970, y: -4 },
    link: null,
  });
});

test("without options the user's own profile is used", () => {
  const read = parseAppArguments([], "/home/user/.config/Kith");
  expect(read).toEqual({
    profile: "/home/user/.config/Kith/profile",
    loginServer: "",
    ringMs: null,
    windowPosition: null,
    link: null,
  });
});

test.each(["soon", "-1", "99", "1e9"])("a ring time of %s is refused with a sentence", (text) => {
  expect(() => parseAppArguments([`--ring-ms=${text}`], "/x")).toThrow(KithError);
});

test.each(["left", "1", "1,2,3", "1.5,2", ",", "999999,0"])(
  "a window position of %s is refused with a sentence",
  (text) => {
    expect(() => parseAppArguments([`--window-position=${text}`], "/x")).toThrow("--window-position");
  },
);
