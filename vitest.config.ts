import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Vitest leaves one core free for a person to edit meanwhile; here that is half the machine.
    maxWorkers: availableParallelism(),
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          // Against tests that hang, on machines that are busy: no test is about its own speed.
          testTimeout: 60_000,
          // Pure code has no state to keep apart, and loading it once saves half of the time.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: ["test/integration/postgres-*.test.ts"],
          testTimeout: 90_000,
          // Whatever needs it is named at the end: see scripts/second-chances.ts.
          retry: 1,
          hookTimeout: 90_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The same tests over the other engine: all that have to do with what is stored.
        test: {
          name: "postgres",
          include: [
            "test/integration/postgres-*.test.ts",
            "test/integration/login-{administration,deletion,desktop-supernodes,backup,buddies,buddy-lists,hostile-input,invitations,key-log,login,network-key,registration,session,supernode-removal,supernodes}.test.ts",
          ],
          globalSetup: ["test/support/postgres-setup.ts"],
          testTimeout: 90_000,
          retry: 1,
          hookTimeout: 90_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/support/electron-setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          retry: 1,
          // Two real apps with sound at a time are what two cores carry.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
