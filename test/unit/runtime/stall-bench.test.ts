// The reload bench with the smallest input, so that it can't rot. Speed is no assertion here.

import { expect, test } from 'vitest';
import { measureStall, stallTable } from '../../../bench/reload/stall.js';

test('one round of the reload bench', async () => {
  const seen: string[] = [];
  const steps = await measureStall({
    services: 3,
    servers: 2,
    rounds: 1,
    dataplane: 'memory',
    onStep: ({ name }) => seen.push(name),
  });
  expect(seen).toEqual([
    'start',
    'nothing new',
    'all weights',
    'a server less',
    'a server more',
    'status',
    'services',
    'all fail',
    'all come back',
    'add servers',
    'stop',
  ]);
  expect(steps.every(({ stall_ms, took_ms }) => stall_ms > 0 && took_ms > 0)).toBe(true);
  expect(stallTable(steps)).toContain('nothing new');
});
