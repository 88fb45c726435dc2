const STEP_MS = 5;

/** Waits for something to become true. @throws Error that says what was waited for */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
  what: () => string = () => condition.toString(),
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
