// The disturbance bench with few connections, so that it can't rot: what it finds is no figure of speed but whether
// connections live, so it is held against what it must be.

import { expect } from 'vitest';
import { lineOf, measureDisturbances } from '../../bench/disturbance/bench.js';
import { labNeeds } from '../support/lab/index.js';
import { requires } from '../support/require.js';

requires(...labNeeds, 'pkg:ethtool', 'pkg:cc').test(
  'no connection breaks over a stall, a restart, a device that is down, offloads that change',
  async () => {
    const results = await measureDisturbances({
      connections: 30,
      only: ['DR IPv6, restart', 'NAT IPv4, stands still for 2 s', 'NAT IPv4, uvs0', 'NAT IPv4, tso'],
      onResult: () => {},
    });
    expect(results).toHaveLength(4);
    for (const result of results) {
      expect(result.broken, lineOf(result)).toEqual({});
      expect(result.open, lineOf(result)).toBe(30);
    }
  },
);
