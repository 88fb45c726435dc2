/** `npm run relay -- [options]`: a supernode, in this process. */
import { runServer } from "./run-server.ts";

await runServer("relay");
