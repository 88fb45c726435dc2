import { z } from "zod";

/** What is read of npm's package-lock.json (lockfileVersion 3). */
export const LockFile = z.object({
  packages: z.record(z.string(), z.object({ optionalDependencies: z.record(z.string(), z.string()).default({}) })),
});

/**
 * Optional packages (binaries for other platforms, as a rule) that the lock leaves out. npm
 * drops them when it updates a lock on a machine that could not fetch them, and `npm ci`
 * then refuses the whole lock everywhere.
 *
 * @returns a sentence for each
 */
export function findUnlocked({ packages }: z.infer<typeof LockFile>): string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !placesFor(path, name).some((place) => place in packages))
      .map(([name, version]) => `package-lock.json lacks ${name} ${version}, wanted by ${path}: npm ci will fail`),
  );
}

/** Where Node looks for a package, from the folder of the one that wants it upwards. */
function placesFor(path: string, name: string): string[] {
  const parents = path.split(/\/?node_modules\//).slice(1);
  const places = [`node_modules/${name}`];
  for (let depth = 1; depth <= parents.length; depth++) {
    places.push(`node_modules/${parents.slice(0, depth).join("/node_modules/")}/node_modules/${name}`);
  }
  return places;
}
