// What a new configuration changes: the one list that a reload shows, logs and carries out. In slices, for ten thousand
// changes are ten thousand lines.

import { type Change, describe, diffSteps } from '../model/diff.js';
import type { DirectorConfig } from '../model/director-config.js';
import { type Breathe, inSlices } from './slices.js';

/** Empty when the two mean the same. */
export async function findChanges(
  before: DirectorConfig,
  after: DirectorConfig,
  breathe: Breathe,
): Promise<readonly Change[]> {
  return inSlices(diffSteps(before, after), breathe);
}

/** One line a change. */
export async function describeChanges(
  changes: readonly Change[],
  breathe: Breathe,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const change of changes) {
    await breathe();
    lines.push(describe(change));
  }
  return lines;
}
