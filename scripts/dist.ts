/** `npm run dist`: installers for this platform, in dist/. `npm run dist -- --dir`: only the folder that they hold. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type AfterPackContext, type CliOptions, LinuxPackager, build as pack } from "electron-builder";
import { build } from "./app-build.ts";
import { type ElectronRuntime, findRuntime } from "./electron-runtime.ts";
import { Failure } from "./failure.ts";
import { say, step } from "./progress.mjs";
import { setReleaseFuses } from "./release-fuses.ts";
import { installedVersion, root } from "./repository.ts";
import { stageApp } from "./stage-app.ts";

const folderOnly = parseArgs({ options: { dir: { type: "boolean" } } }).values.dir === true;
// 7-Zip's best, which electron-builder asks for, takes minutes more and saves one percent.
process.env.ELECTRON_BUILDER_COMPRESSION_LEVEL ??= "5";

const runtime = await findRuntime(process.env);
await build(["app"]);
const { productName, version } = await stageApp(join(root, "out", "stage"));
if (runtime.source === "registry") {
  say(`Packaged for tests only: with Electron ${runtime.version} instead of ${installedVersion("electron")}.`);
}
const files = await step(`Packaging ${productName} ${version}`, () => packWith(runtime));
for (const file of files) process.stdout.write(`${file}\n`);

function packWith({ folder, version, source }: ElectronRuntime): Promise<string[]> {
  return pack({
    ...targetsHere(source === "registry"),
    projectDir: root,
    config: { electronDist: folder, electronVersion: version, afterPack: lockDown },
  });
}

/** An empty list stands for all targets that electron-builder.yml names. */
function targetsHere(toolsOutOfReach: boolean): CliOptions {
  if (folderOnly) return { dir: true };
  switch (process.platform) {
    case "linux":
      if (!toolsOutOfReach) return { linux: [] };
      say("Without deb and AppImage: the tools that make them are downloads.");
      return { linux: ["dir", "tar.gz"] };
    case "darwin":
      return { mac: [] };
    case "win32":
      return { win: [] };
    default:
      throw new Failure(`There are no installers for ${process.platform}.`);
  }
}

/** Between packing and signing. */
async function lockDown({ appOutDir, packager, electronPlatformName }: AfterPackContext): Promise<void> {
  const name = packager.appInfo.productFilename;
  if (packager instanceof LinuxPackager) await setReleaseFuses(join(appOutDir, packager.executableName), "linux");
  else if (electronPlatformName === "win32") await setReleaseFuses(join(appOutDir, `${name}.exe`), "win32");
  else await setReleaseFuses(join(appOutDir, `${name}.app`), "darwin");
}
