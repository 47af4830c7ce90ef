// Test levels as vitest projects: one per folder of test/, in the order in which they run.
// Levels that share nothing run in parallel. The lab comes last: first what only has to be right, two files at a time,
// then what is held against the clock, alone.
import { defineConfig } from 'vitest/config';
import { SummaryReporter } from './test/support/summary-reporter.js';

const second = 1_000;

/** `order`: a group starts when every group below it is done. */
const level = (name: string, order: number, timeout_s: number, include = [`test/${name}/**/*.test.ts`]) => ({
  extends: true as const,
  test: {
    name,
    include,
    testTimeout: timeout_s * second,
    hookTimeout: timeout_s * second,
    sequence: { groupOrder: order },
  },
});

// The long matrix of failover runs by its own command, `npm run lab:failover`.
const isMatrix = process.env.UVS_LAB_MATRIX === '1';
const timed = isMatrix ? ['test/lab/matrix/*.test.ts'] : ['test/lab/{failover,bench}-*.test.ts'];
const lab = level('lab', 3, 120, isMatrix ? [] : ['test/lab/!(failover-*|bench-*).test.ts']);
const labTimed = level('lab-timed', 4, 120, timed);

export default defineConfig({
  test: {
    pool: 'forks',
    passWithNoTests: true,
    reporters: process.env.UVS_SUMMARY_FILE === undefined ? ['default'] : [new SummaryReporter()],
    projects: [
      level('tidy', 0, 20, ['test/tidy.test.ts']),
      level('unit', 0, 30),
      level('contract', 0, 30),
      level('property', 0, 60),
      level('golden', 0, 120),
      level('fuzz', 1, 120),
      level('sim', 2, 120),
      { ...lab, test: { ...lab.test, maxWorkers: 2 } },
      { ...labTimed, test: { ...labTimed.test, fileParallelism: false, maxWorkers: 1 } },
    ],
  },
});
