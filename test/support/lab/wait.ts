// The only way in which lab code waits: for a condition, with a deadline.
// Time alone never counts as an answer, so nothing here sleeps and hopes.

export type WaitOptions = {
  /** Default 10. */
  readonly timeout_s?: number;
  /** Pause between two looks; default 20. */
  readonly interval_ms?: number;
  /** Text for the error, asked for when the deadline has passed. */
  readonly detail?: () => string | Promise<string>;
};

/** Looks again and again until `look` gives something other than undefined or false. What it throws counts as "not yet". */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions = {},
): Promise<T> {
  const timeout_s = options.timeout_s ?? 10;
  const deadline = performance.now() + timeout_s * 1000;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) break;
    await pause(options.interval_ms ?? 20);
  }
  const detail = options.detail === undefined ? '' : `\n${await options.detail()}`;
  throw new Error(
    `waited ${timeout_s} s for ${what}${last === undefined ? '' : ` (last: ${String(last)})`}${detail}`,
  );
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
