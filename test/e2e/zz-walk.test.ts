import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { startSupernode } from "../../relay/supernode.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { Lifetime } from "../../scripts/lifetime.ts";

const OUT = "/tmp/w/HOST/shots";
const lifetime = new Lifetime();
let server: LoginServer;
const apps: DrivenApp[] = [];
let n = 0;
async function shot(app: DrivenApp, name: string) {
  n++;
  const id = String(n).padStart(2, "0");
  await app.page.screenshot({ path: join(OUT, `${id}-${name}.png`) });
}
async function both(app: DrivenApp, name: string) {
  await app.page.emulateMedia({ colorScheme: "light" });
  await shot(app, `${name}-light`);
  await app.page.emulateMedia({ colorScheme: "dark" });
  await shot(app, `${name}-dark`);
  await app.page.emulateMedia({ colorScheme: "light" });
}
const size = (app: DrivenApp, w: number, h: number) =>
  app.electron.evaluate(({ BrowserWindow }, [w, h]) => BrowserWindow.getAllWindows()[0]?.setSize(w as number, h as number), [w, h]);
const active = (app: DrivenApp) => app.page.evaluate(() => {
  const e = document.activeElement; if (!e) return "none";
  return `${e.tagName}.${e.className.toString().slice(0, 30)} [${e.getAttribute("aria-label") ?? (e.textContent ?? "").slice(0, 30)}]`;
});
async function tabs(app: DrivenApp, count: number, name: string) {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) { await app.page.keyboard.press("Tab"); seen.push(await active(app)); }
  console.log("TABS", name, seen);
}
async function step(name: string, run: () => Promise<unknown>) {
  try { await run(); } catch (e) { console.log("STEP FAILED", name, String(e).slice(0, 600)); for (const [i, a] of apps.entries()) await shot(a, `FAIL-${name}-${i}`).catch(() => 0); }
}
beforeAll(async () => {
  await mkdir(OUT, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), "kith-walk-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  server = await startLoginServer({ dataFolder: join(folder, "ls"), registration: "invitation", name: "Example club" });
  lifetime.atEnd(() => server.close());
  for (const i of [1, 2]) {
    const s = await startSupernode({ dataFolder: join(folder, `sn${i}`), loginServer: server.url, enrolmentToken: server.enrolmentToken, listen: "127.0.0.1", host: "127.0.0.1", port: 0 });
    lifetime.atEnd(() => s.close());
  }
  const runtime = await findRuntime(process.env);
  for (const i of [1, 2]) {
    const app = await driveApp(runtime, { profile: join(folder, `p${i}`), flags: ["--use-fake-device-for-media-stream"] }, process.env);
    app.page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") console.log("CONSOLE", i, m.text().slice(0, 300)); });
    lifetime.atEnd(() => app.quit());
    apps.push(app);
  }
}, 200_000);
afterAll(() => lifetime.end());

test("walk", async () => {
  const [a, b] = apps as [DrivenApp, DrivenApp];
  for (const x of apps) x.page.setDefaultTimeout(20_000);
  let link = server.firstInvitation?.link ?? "";
  await step("register-a", async () => {
    await a.page.getByRole("button", { name: "Create account" }).waitFor();
    await both(a, "first-start");
    // keyboard only
    console.log("FOCUS at start", await active(a));
    await a.page.keyboard.type("anna");
    await a.page.keyboard.press("Enter");
    await a.page.waitForTimeout(500);
    await shot(a, "enter-too-early");
    await a.page.keyboard.press("Tab");
    await a.page.keyboard.type("correct horse battery");
    await tabs(a, 6, "sign-in");
    await a.page.getByRole("button", { name: "I have an invitation link" }).focus();
    await a.page.keyboard.press("Enter");
    await a.page.waitForTimeout(200);
    console.log("FOCUS after have-invitation", await active(a));
    await a.page.getByLabel("Invitation link").fill(link);
    await both(a, "invited-filled");
    await a.page.getByLabel("Invitation link").press("Enter");
    await a.page.getByRole("heading", { name: "anna", exact: true }).waitFor();
    await a.page.waitForTimeout(1500);
    await both(a, "welcome");
    console.log("FOCUS after register", await active(a));
    await tabs(a, 10, "main");
  });
  await step("recovery", async () => {
    await a.page.getByRole("button", { name: "Your account" }).click();
    await shot(a, "account-menu");
    await a.page.getByRole("menuitem", { name: "Account…" }).click();
    await a.page.waitForTimeout(500);
    await both(a, "account-dialog");
    for (const tab of await a.page.getByRole("tab").all()) { await tab.click(); await a.page.waitForTimeout(400); await shot(a, `account-tab-${(await tab.textContent())?.replace(/\W/g, "")}`); }
    await a.page.getByRole("tab", { name: "Recovery key" }).click();
    await a.page.getByRole("button", { name: "Make a recovery key" }).click();
    await a.page.getByText(/^([0-9A-Z]{4}-){7}[0-9A-Z]{4}$/).waitFor();
    await both(a, "recovery-key");
    await a.page.getByRole("tab", { name: "Network" }).click();
    await a.page.getByRole("button", { name: "Link for one person" }).click();
    const shown = a.page.getByText(`${server.url}/i/`);
    await shown.waitFor();
    link = (await shown.textContent())?.match(/http\S+/)?.[0] ?? "";
    await both(a, "network-link");
    await a.page.keyboard.press("Escape");
    await a.page.waitForTimeout(300);
    console.log("FOCUS after dialog", await active(a));
  });
  await step("register-b", async () => {
    await b.page.getByRole("button", { name: "I have an invitation link" }).click();
    await b.page.getByLabel("Invitation link").fill(link);
    await b.page.getByLabel("Handle").fill("Anna ");
    await b.page.getByRole("textbox", { name: "Password" }).fill("short");
    await b.page.getByRole("button", { name: "Create account" }).click();
    await b.page.waitForTimeout(800);
    await shot(b, "password-short");
    await b.page.getByRole("textbox", { name: "Password" }).fill("correct horse battery");
    await b.page.getByRole("button", { name: "Create account" }).click();
    await b.page.waitForTimeout(2500);
    await shot(b, "handle-taken");
    await b.page.getByLabel("Handle").fill("ben");
    await b.page.getByRole("button", { name: "Create account" }).click();
    await b.page.getByRole("heading", { name: "ben", exact: true }).waitFor();
  });
  await step("buddy", async () => {
    await a.page.getByRole("button", { name: "Add buddy" }).first().click();
    await a.page.waitForTimeout(400);
    await both(a, "add-buddy");
    console.log("FOCUS add buddy", await active(a));
    await a.page.keyboard.type("nobody");
    await a.page.keyboard.press("Enter");
    await a.page.waitForTimeout(1000);
    await shot(a, "add-nobody");
    await a.page.getByLabel(/handle/i).first().fill("ben");
    await a.page.keyboard.press("Enter");
    await a.page.waitForTimeout(1500);
    await shot(a, "asked");
    await b.page.getByRole("button", { name: /Accept/ }).waitFor();
    await both(b, "request");
    await b.page.getByRole("button", { name: /Accept/ }).click();
    await b.page.waitForTimeout(3000);
    await shot(b, "accepted");
    await shot(a, "accepted-a");
  });
  await step("message", async () => {
    for (const [x, other] of [[a, "ben"], [b, "anna"]] as const) { await x.page.getByText(other, { exact: true }).first().click().catch(() => 0); }
    await a.page.waitForTimeout(800);
    await both(a, "empty-conversation");
    await a.page.getByRole("textbox", { name: /message/i }).first().fill("Hello Ben! How are you?");
    await a.page.keyboard.press("Enter");
    await b.page.getByText("Hello Ben! How are you?").first().waitFor();
    await b.page.getByRole("textbox", { name: /message/i }).first().fill("Fine, thanks. A rather long answer, to see how it is broken into lines when the window is small: https://example.org/a/very/long/address/that/does/not/fit/anywhere/at/all and 👍🏽 emoji.");
    await b.page.keyboard.press("Enter");
    await a.page.getByText("Fine, thanks").first().waitFor();
    await a.page.waitForTimeout(800);
    await both(a, "conversation");
    await size(a, 500, 480); await a.page.waitForTimeout(500);
    await both(a, "conversation-small");
    await tabs(a, 12, "small conversation");
    await size(a, 1000, 700); await a.page.waitForTimeout(300);
  });
  await step("call", async () => {
    await a.page.getByRole("button", { name: /^Call/ }).first().click();
    await b.page.getByRole("button", { name: /Accept|Answer/ }).first().waitFor();
    await both(a, "calling");
    await both(b, "incoming");
    await size(b, 500, 480); await b.page.waitForTimeout(300); await shot(b, "incoming-small"); await size(b, 1000, 700);
    console.log("FOCUS incoming", await active(b));
    await b.page.getByRole("button", { name: /Accept|Answer/ }).first().click();
    await a.page.getByRole("button", { name: /Mute/ }).first().waitFor();
    await a.page.waitForTimeout(6000);
    await both(a, "active-call");
    await size(a, 500, 480); await a.page.waitForTimeout(300); await both(a, "active-small"); await size(a, 1000, 700);
    await a.page.getByRole("button", { name: /Hang up|End/ }).first().click();
    await a.page.waitForTimeout(1500);
    await both(a, "after-call");
  });
  await step("settings", async () => {
    await a.page.getByRole("button", { name: "Your account" }).click();
    for (const item of await a.page.getByRole("menuitem").all()) console.log("MENU", await item.textContent());
    await a.page.getByRole("menuitem", { name: /Settings/ }).click();
    await a.page.waitForTimeout(800);
    await both(a, "settings");
    await a.page.mouse.move(400, 400); await a.page.mouse.wheel(0, 2000); await a.page.waitForTimeout(400);
    await shot(a, "settings-bottom");
    await size(a, 500, 480); await a.page.waitForTimeout(300); await both(a, "settings-small"); 
    for (const sw of await a.page.getByRole("switch").all()) console.log("SWITCH", await sw.evaluate((e) => (e.closest("label")?.textContent ?? "") + (e as HTMLInputElement).checked));
    await size(a, 1000, 700);
    await a.page.keyboard.press("Escape");
  });
  await step("search", async () => {
    await b.page.getByRole("button", { name: "Your account" }).click();
    await b.page.getByRole("menuitem", { name: /Settings/ }).click();
    const find = b.page.getByRole("switch", { name: /find/i });
    await find.evaluate((e) => (e as HTMLElement).closest("label")?.click());
    await b.page.waitForTimeout(600);
    await shot(b, "findable-on");
    await b.page.keyboard.press("Escape");
    await a.page.getByRole("button", { name: "Add buddy" }).first().click();
    await a.page.waitForTimeout(300);
    for (const t of await a.page.getByRole("dialog").getByRole("tab").all()) console.log("TAB", await t.textContent());
    for (const t of await a.page.getByRole("dialog").getByRole("textbox").all()) console.log("BOX", await t.evaluate((e) => e.closest("div")?.textContent));
    await a.page.getByRole("dialog").getByRole("textbox").first().fill("ben");
    await a.page.waitForTimeout(1500);
    await both(a, "search");
    await size(a, 500, 480); await a.page.waitForTimeout(300); await both(a, "search-small");
  });
}, 240_000);
