/**
 * Takes pictures of every scene: `node test/preview/look.mjs [scene...]` after building the preview.
 * They go to out/renderer-preview-pictures. Serves with the app's own Content-Security-Policy and prints what it refuses.
 */
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const root = join(import.meta.dirname, "../../out");
const scheme = await readFile(join(import.meta.dirname, "../../main/shell/app-scheme.ts"), "utf8");
const [, list = ""] = /CONTENT_SECURITY_POLICY = \[([^\]]*)\]/.exec(scheme) ?? [];
const policy = [...list.matchAll(/"(.*)",/g)].map(([, directive]) => directive).join("; ");
/** @type {Record<string, string>} */
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

const server = createServer((request, response) => {
  const path = request.url === "/" ? "/index.html" : String(request.url);
  readFile(join(root, "renderer-preview", path)).then(
    (body) => {
      response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream");
      response.setHeader("content-security-policy", policy);
      response.end(body);
    },
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
const address = server.address();
if (address === null || typeof address === "string") throw new Error("not listening");
const url = `http://127.0.0.1:${address.port}/`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
  ],
});
const wanted = process.argv.slice(2);
const scenes = [
  "starting signed-out signed-out-notice no-buddies chat empty long incoming calling active",
  "held reconnecting ended trouble asked settings find-people invited crowded account recovery network",
]
  .join(" ")
  .split(" ");
const alone = new Set(["starting", "signed-out", "signed-out-notice", "no-buddies", "invited", "crowded"]);
const sizes = { wide: { width: 1180, height: 760 }, narrow: { width: 720, height: 520 } };
await mkdir(join(root, "renderer-preview-pictures"), { recursive: true });

for (const scene of scenes.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const page = await browser.newPage({ viewport, colorScheme: scheme, locale: "en-GB" });
      page.on("console", (message) => {
        if (message.type() !== "log") console.log(scene, message.type(), message.text());
      });
      page.on("pageerror", (error) => console.log(scene, "error", error.message));
      await page.goto(`${url}#${scene}`);
      if (!alone.has(scene))
        await page
          .getByRole("option")
          .first()
          .click({ force: true })
          .catch(() => {});
      if (scene === "settings") {
        await page.getByRole("button", { name: "Your account" }).click();
        await page.getByRole("menuitem", { name: "Settings…" }).click();
      }
      if (scene === "settings") await page.getByText("Let people find me").click();
      if (["account", "recovery", "network"].includes(scene)) {
        await page.getByRole("button", { name: "Your account" }).click();
        await page.getByRole("menuitem", { name: "Account…" }).click();
        if (scene === "recovery") {
          await page.getByRole("tab", { name: "Recovery key" }).click();
          await page.getByRole("button", { name: "Make a recovery key" }).click();
        }
        if (scene === "network") {
          await page.getByRole("tab", { name: "Network" }).click();
          await page.getByRole("button", { name: "Link for one person" }).click();
        }
      }
      if (scene === "find-people") {
        await page.getByRole("button", { name: "Add buddy" }).click();
        await page.getByRole("searchbox").fill("li");
        await page.keyboard.press("Enter");
      }
      await page.waitForTimeout(500);
      await page.screenshot({ path: join(root, "renderer-preview-pictures", `${scene}-${scheme}-${size}.png`) });
      await page.close();
    }
  }
}
await browser.close();
server.close();
