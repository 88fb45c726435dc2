/** Files that import one another in a circle: neither can be read, tested or replaced without the other. */

/**
 * @param imports the files that each file imports, types included
 * @returns each circle as the files on it, from the first by name round to where it closes
 */
export function findCycles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  for (const start of [...imports.keys()].sort()) {
    if (done.has(start)) continue;
    const cycle = shortestCycle(start, imports, done);
    // What goes through a file that has been reported or cleared is not looked at again.
    for (const file of cycle ?? [start]) done.add(file);
    if (cycle) cycles.push(cycle);
  }
  return cycles;
}

/** Breadth first, so that the circle that is shown is the smallest through this file. */
function shortestCycle(
  start: string,
  imports: ReadonlyMap<string, readonly string[]>,
  without: ReadonlySet<string>,
): string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const file of queue) {
    for (const next of imports.get(file) ?? []) {
      if (next === start) return pathTo(file, start, cameFrom);
      if (cameFrom.has(next) || without.has(next)) continue;
      cameFrom.set(next, file);
      queue.push(next);
    }
  }
  return null;
}

function pathTo(file: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path: string[] = [];
  for (let at = file; at !== start; at = cameFrom.get(at) ?? start) path.unshift(at);
  return [start, ...path];
}
