/** `npm run login-server -- [options]`: the login server, in this process. */
import { runServer } from "./run-server.ts";

await runServer("login-server");
