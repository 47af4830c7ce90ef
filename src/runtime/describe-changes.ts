// What a new configuration changes: the one list that a reload shows, logs and carries out. In slices, for ten thousand
// changes are ten thousand lines.

import { type Change, describe, diffSteps } from '../model/diff.js';
import type { DirectorConfig } from '../model/director-config.js';
import { inSlices, type YieldTurn } from './slices.js';

/** Empty when the two mean the same. */
export async function findChanges(
  before: DirectorConfig,
  after: DirectorConfig,
  yieldTurn: YieldTurn,
): Promise<readonly Change[]> {
  return inSlices(diffSteps(before, after), yieldTurn);
}

/** One line a change. */
export async function describeChanges(
  changes: readonly Change[],
  yieldTurn: YieldTurn,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const change of changes) {
    await yieldTurn();
    lines.push(describe(change));
  }
  return lines;
}
