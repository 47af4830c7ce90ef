// What a new configuration changes, in words; in slices, for ten thousand changes are ten thousand lines.

import { type Change, describe, diffSteps } from '../model/diff.js';
import type { DirectorConfig } from '../model/director-config.js';
import type { Breathe } from './slices.js';

/** One line a change; empty when the two mean the same. */
export async function describeChanges(
  before: DirectorConfig,
  after: DirectorConfig,
  breathe: Breathe,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const change of await findChanges(before, after, breathe)) {
    await breathe();
    lines.push(describe(change));
  }
  return lines;
}

async function findChanges(
  before: DirectorConfig,
  after: DirectorConfig,
  breathe: Breathe,
): Promise<readonly Change[]> {
  const steps = diffSteps(before, after);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await breathe();
  }
}
