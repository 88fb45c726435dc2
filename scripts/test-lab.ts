/** `npm run test:lab [-- --json ...]`: calls between real apps behind every kind of firewall, in network namespaces. */
import { runTestProgram } from "./built-program.ts";

await runTestProgram("the lab", "lab");
