// The second half of the 500 seeds that CI runs.
import { expect, test } from 'vitest';
import { runSeeds } from './run.js';

test('seeds 251 to 500', () => {
  expect(runSeeds(251, 250)).toEqual([]);
});
