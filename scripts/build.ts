/** `npm run build`: everything that runs, into out/. */
import { build } from "./app-build.ts";

await build(["app", "login-server", "relay"]);
