// The failover bench with the smallest input, so that it can't rot: keepalived and uvs each hand over once, and the
// report has a number for each. Speed is no assertion here.

import { expect } from 'vitest';
import { measureFailover } from '../../bench/failover/bench.js';
import { pictureOf } from '../../bench/failover/picture.js';
import { rowsOf, tableOf } from '../../bench/failover/report.js';
import { failoverNeeds } from '../support/lab/index.js';
import { requires } from '../support/require.js';

requires(...failoverNeeds).test('one short round of the failover bench', async () => {
  const samples = await measureFailover({
    rounds: 1,
    variants: ['keepalived', 'uvs'],
    only: ['0.05, graceful stop'],
    onSample: () => {},
  });
  const rows = rowsOf(samples);
  expect(rows.map((row) => row.variant)).toEqual(['keepalived', 'uvs']);
  expect(rows.every((row) => (row.takeover_ms[0] ?? 0) > 0 && (row.comeback_ms[0] ?? 0) > 0)).toBe(true);
  expect(tableOf(rows)).toContain('graceful stop');
  expect(pictureOf(rows)).toContain('<circle');
});
