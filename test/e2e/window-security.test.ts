/** What a window that has been taken over by hostile code still cannot do. One real app, on no network. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IPC_METHODS } from "../../protocol/ipc-schema.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { fakeMicrophone } from "../../scripts/launch-app.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { root } from "../../scripts/repository.ts";

/** The page's globals, as far as they are used here. */
declare const window: {
  readonly kith: { invoke(name: string, input: unknown): Promise<unknown> };
  readonly location: { href: string };
  readonly document: {
    title: string;
    readonly body: { append(element: PageElement): void; innerHTML: string };
    createElement(name: string): PageElement;
  };
  readonly navigator: {
    readonly mediaDevices: {
      getUserMedia(constraints: { audio?: boolean; video?: boolean }): Promise<unknown>;
      getDisplayMedia(): Promise<unknown>;
    };
    readonly clipboard: { readText(): Promise<string> };
    readonly geolocation: { getCurrentPosition(got: (position: unknown) => void, refused: (why: Error) => void): void };
    requestMIDIAccess(options: { sysex: true }): Promise<unknown>;
  };
  open(address: string): unknown;
  fetch(address: string): Promise<unknown>;
};
interface PageElement {
  href?: string;
  target?: string;
  src?: string;
  textContent: string;
  readonly contentWindow?: Record<string, unknown>;
  click(): void;
}

const lifetime = new Lifetime();
let app: DrivenApp;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "kith-e2e-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  const flags = fakeMicrophone(join(root, "test", "fixtures", "speech-alice.wav"));
  app = await driveApp(await findRuntime(process.env), { profile: join(folder, "profile"), flags }, process.env);
  lifetime.atEnd(() => app.quit());
  await app.page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
});
afterAll(() => lifetime.end());

describe("requests to the main process", () => {
  test.each(Object.keys(IPC_METHODS))("%s refuses what is not of its type", async (name) => {
    const answers = await app.page.evaluate(async (method) => {
      const deep = { toString: { toString: { constructor: 1 } } };
      const inputs = [undefined, null, 42, "text", [], [{}], { unexpected: true }, deep, new Uint8Array(9)];
      return Promise.all(inputs.map((input) => window.kith.invoke(method, input)));
    }, name);
    for (const answer of answers) expect(answer).toMatchObject({ ok: false, error: { code: "malformed" } });
  });

  test("other channels than the schema's are not there", async () => {
    for (const name of ["nothing", "../kith", "constructor", "__proto__"]) {
      const answer = app.page.evaluate((channel) => window.kith.invoke(channel, {}), name);
      await expect(answer).rejects.toThrow(/No handler registered/);
    }
  });

  test("of another window are refused, be its page foreign or our own", async () => {
    for (const url of ["data:text/html,<title>foreign</title>", "about:blank", "app://kith/"]) {
      const answer = await app.electron.evaluate(async ({ app: main, BrowserWindow }, address) => {
        const preload = `${main.getAppPath()}/out/app/preload.cjs`;
        const stranger = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true } });
        await stranger.loadURL(address);
        const said: unknown = await stranger.webContents.executeJavaScript('kith.invoke("snapshot", {})');
        stranger.destroy();
        return said;
      }, url);
      expect(answer, url).toMatchObject({ ok: false, error: { code: "ipc-refused" } });
    }
  });

  test("of a frame inside our own window cannot be made", async () => {
    const kinds = await app.page.evaluate(() => {
      const frame = window.document.createElement("iframe");
      window.document.body.append(frame);
      return [typeof frame.contentWindow?.kith, typeof frame.contentWindow?.require];
    });
    expect(kinds).toEqual(["undefined", "undefined"]);
  });

  test("are all that the page has of the machine", async () => {
    const kinds = await app.page.evaluate(() => {
      return ["require", "process", "module", "Buffer", "global", "electron"].filter((name) => name in window);
    });
    expect(kinds).toEqual([]);
    expect(await app.page.evaluate(() => Object.keys(window.kith))).toEqual(["invoke", "onPush"]);
  });
});

test.each(["https://example.org/", "file:///etc/passwd", "data:text/html,x", "app://other/", "about:blank"])(
  "the window does not go to %s",
  async (address) => {
    const before = app.page.url();
    const opened = await app.page.evaluate((url) => {
      const link = window.document.createElement("a");
      window.document.body.append(link);
      for (const target of ["_blank", "_self"]) {
        Object.assign(link, { href: url, target });
        link.click();
      }
      window.location.href = url;
      return window.open(url);
    }, address);
    expect(opened).toBeNull();
    await wait(300);
    // about:blank is left again at once; everything else is not even begun.
    await expect.poll(() => app.page.url()).toBe(before);
    await expect.poll(() => app.page.evaluate(() => window.document.title)).toBe("Kith");
    expect(app.electron.windows()).toHaveLength(1);
  },
);

test.each<[string, () => Promise<unknown>]>([
  ["the microphone, outside calls and recordings", () => window.navigator.mediaDevices.getUserMedia({ audio: true })],
  ["the camera", () => window.navigator.mediaDevices.getUserMedia({ video: true })],
  ["microphone and camera", () => window.navigator.mediaDevices.getUserMedia({ audio: true, video: true })],
  ["the screen", () => window.navigator.mediaDevices.getDisplayMedia()],
  ["the clipboard", () => window.navigator.clipboard.readText()],
  ["MIDI devices", () => window.navigator.requestMIDIAccess({ sysex: true })],
])("the page does not get %s", async (_, ask) => {
  await expect(app.page.evaluate(ask)).rejects.toThrow(/NotAllowedError|SecurityError|denied/);
});

test("the page does not learn the position", async () => {
  const refusal = await app.page.evaluate(
    () =>
      new Promise((resolve) =>
        window.navigator.geolocation.getCurrentPosition(resolve, ({ message }) => resolve(message)),
      ),
  );
  expect(refusal).toMatch(/denied/i);
});

test("code and addresses that did not come with the app are neither run nor fetched", async () => {
  const asked: string[] = [];
  const outside = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end("document.title = 'taken over'");
  });
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
  const { port } = outside.address() as AddressInfo;
  try {
    const refusals = await app.page.evaluate(async (address) => {
      const run = (what: string, action: () => unknown) =>
        Promise.resolve()
          .then(action)
          .then(
            () => `${what}: done`,
            () => "refused",
          );
      const load = (name: string) => () => {
        const element = window.document.createElement(name);
        window.document.body.append(element);
        element.src = `${address}/${name}`;
      };
      await Promise.all(["img", "iframe", "audio"].map((name) => run(name, load(name))));
      return Promise.all([
        run("script", load("script")),
        run("fetch", () => window.fetch(`${address}/fetch`)),
        run("inner HTML", () => {
          window.document.body.innerHTML = "<b>markup</b>";
        }),
        run("inline script", () => {
          const script = window.document.createElement("script");
          script.textContent = "document.title = 'taken over'";
        }),
      ]);
    }, `http://127.0.0.1:${port}`);
    expect(new Set(refusals)).toEqual(new Set(["refused"]));
    await wait(500);
    expect(asked).toEqual([]);
    expect(await app.page.evaluate(() => window.document.title)).toBe("Kith");
  } finally {
    outside.close();
  }
});

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
