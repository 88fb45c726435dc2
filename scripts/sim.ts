/** `npm run sim -- [--nodes N] [--minutes N] …`: a network of supernodes under a virtual clock. */
import { runTestProgram } from "./built-program.ts";

// Thousands of members who each know thousands of members are more than Node's usual heap.
await runTestProgram("the simulation", "sim", ["--max-old-space-size=16384", "--max-semi-space-size=64"]);
