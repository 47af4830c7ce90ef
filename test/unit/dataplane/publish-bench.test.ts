// The publish bench with the smallest input, so that it can't rot. Speed is no assertion here.

import { expect, test } from 'vitest';
import { measureLatency } from '../../../bench/publish/latency.js';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';

test('two rounds of the publish bench', async () => {
  const dataplane = new MemoryDataplane();
  await dataplane.start({ interfaces: undefined, connections: 16, cpu: undefined }, () => {});
  const { median_ms, worst_ms } = await measureLatency(dataplane, 2, 3, 2);
  expect(dataplane.published.map(({ services }) => services.map(({ isStandby }) => isStandby))).toEqual([
    [false, false],
    [true, false],
    [true, true],
  ]);
  expect(median_ms).toBeGreaterThan(0);
  expect(worst_ms).toBeGreaterThanOrEqual(median_ms);
});
