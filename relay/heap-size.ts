/**
 * Tells V8 to keep the heap close to what is in it. Left alone it gives what is young 48 MB and
 * lets the rest double before it looks for garbage, which after a crowd of newcomers is most of what a supernode uses.
 * Imported before anything else, since a heap that has grown does not shrink again.
 */
import { setFlagsFromString } from "node:v8";

/** The young generation stays at the size that it begins with, 1 MB. */
setFlagsFromString("--semi-space-growth-factor=1");
// So little is cleared faster by one thread than by several that wait for each other.
setFlagsFromString("--no-parallel-scavenge");
/** The old one may grow by this much between two collections. */
setFlagsFromString("--heap-growing-percent=25");
