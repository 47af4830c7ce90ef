// The time that a TypeScript fuzz test may spend, and the line by which it says what it did with it.
// scripts/test.mjs divides 60 seconds among all fuzz targets, native and TypeScript; by hand a target gets a moment.

/** Seconds for one file under test/fuzz; a file with several targets divides them itself. */
export const fuzzBudget_s = Number(process.env.UVS_FUZZ_TARGET_SECONDS ?? 2);

/** Lines that start `fuzz:` stay visible in the short output of `npm test`. */
export function reportExecutions(target: string, executions: number): void {
  console.log(`fuzz: ${target}: ${executions} executions`);
}
