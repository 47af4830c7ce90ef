// The estimator against numbers that a live kernel showed: totals and rates after the same first period.

import { expect, test } from 'vitest';
import type { Traffic } from '../../../src/dataplane/port.js';
import { readRates, sampleRates, startRates } from '../../../src/runtime/rates.js';

const none: Traffic = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

test.each([
  // conns, in packets, out packets, in bytes, out bytes → the recorded rates
  [4n, 24n, 0n, 1576n, 0n, [0, 3, 0, 197, 0]],
  [1n, 6n, 0n, 394n, 0n, [0, 1, 0, 49, 0]],
  [2n, 12n, 0n, 788n, 0n, [0, 1, 0, 98, 0]],
  [5n, 30n, 0n, 1970n, 0n, [1, 4, 0, 246, 0]],
  [4n, 24n, 16n, 1576n, 1628n, [0, 3, 2, 197, 203]],
  [2n, 12n, 8n, 788n, 814n, [0, 1, 1, 98, 102]],
  [1n, 6n, 4n, 394n, 407n, [0, 1, 0, 49, 51]],
])(
  '%d connections, %d and %d packets, %d and %d bytes',
  (connections, inPackets, outPackets, inBytes, outBytes, rates) => {
    const now = { connections, inPackets, outPackets, inBytes, outBytes };
    expect(Object.values(readRates(sampleRates(startRates(none), now)))).toEqual(rates);
  },
);

test('a steady flow is reached from below, and left as slowly', () => {
  let estimate = startRates(none);
  let inPackets = 0n;
  const seen: number[] = [];
  for (let i = 0; i < 40; i++) {
    if (i < 20) inPackets += 2_000n;
    estimate = sampleRates(estimate, { ...none, inPackets });
    seen.push(readRates(estimate).inPackets);
  }
  expect(seen.slice(0, 3)).toEqual([250, 437, 578]);
  expect(seen[19]).toBe(997);
  expect(seen[39]).toBe(3);
});

test('counters that went back count from zero', () => {
  const before = { ...none, inPackets: 1_000n };
  expect(readRates(sampleRates(startRates(before), { ...none, inPackets: 80n })).inPackets).toBe(10);
});
