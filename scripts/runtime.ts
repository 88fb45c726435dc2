/** `node scripts/bootstrap.mjs runtime`: prints the path of an Electron executable, fetching it if need be. */
import { findRuntime } from "./electron-runtime.ts";

const { executable } = await findRuntime(process.env);
process.stdout.write(`${executable}\n`);
