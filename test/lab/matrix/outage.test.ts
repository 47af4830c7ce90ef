// The bounds, three runs each (`npm run lab:failover`): they hold on a machine that has nothing else to do.
// `npm run bench -- failover` prints the figures beside keepalived's.

import { expect, test } from 'vitest';
import { measureFailover } from '../../../bench/failover/bench.js';
import { rowsOf, tableOf } from '../../../bench/failover/report.js';
import { failoverNeeds } from '../../support/lab/index.js';
import { requires } from '../../support/require.js';

/** By timing and scenario: the longest outage in milliseconds. */
const bounds: Readonly<Record<string, number>> = {
  'v2, advert_int 1: graceful stop': 50,
  'v2, advert_int 1: switchover': 50,
  'v2, advert_int 1: SIGKILL': 1000,
  // 3 s and the skew of priority 100.
  'v2, advert_int 1: link cut': 3650,
  'v3, advert_int 0.05: link cut': 250,
};

requires(...failoverNeeds).describe('outages of two uvs directors', () => {
  test('are within the bounds of the issue', { timeout: 400_000 }, async () => {
    const samples = await measureFailover({ rounds: 3, variants: ['uvs'], only: [], onSample: () => {} });
    const rows = rowsOf(samples);
    const over = rows.filter((row) => {
      const bound = bounds[`${row.timing}: ${row.scenario}`];
      return bound !== undefined && (row.takeover_ms.at(-1) ?? Number.POSITIVE_INFINITY) > bound;
    });
    expect(over, tableOf(rows)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(Object.keys(bounds).length);
  });
});
