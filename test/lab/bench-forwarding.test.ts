// The forwarding bench with the smallest input, so that it can't rot: every variant carries traffic and the report
// has a number for each. Speed is no assertion here.

import { expect } from 'vitest';
import { measureForwarding } from '../../bench/forwarding/bench.js';
import { rowsOf, tableOf } from '../../bench/forwarding/report.js';
import { labNeeds } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const variants = ['plain routing', 'nft DNAT', 'uvs NAT', 'uvs DR'] as const;

requires(...labNeeds, 'pkg:wrk').test('one short round of the forwarding bench', async () => {
  const samples = await measureForwarding({
    rounds: 1,
    seconds: 1,
    variants,
    only: ['1 stream', 'new connections'],
    onSample: () => {},
  });
  const rows = rowsOf(samples);
  expect(rows).toHaveLength(3 * variants.length);
  expect(rows.every((row) => row.median > 0 && row.toRouting > 0 && row.toDnat > 0)).toBe(true);
  expect(tableOf(rows)).toContain('uvs DR');
});
