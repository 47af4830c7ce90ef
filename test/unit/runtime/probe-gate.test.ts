// How many probes run at once, and how many start in one turn of the event loop.

import { expect, test } from 'vitest';
import { ProbeGate, probePlaces, type Ticket } from '../../../src/runtime/probe-gate.js';
import { ManualClock } from '../../support/manual-clock.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('so many a turn, so many at once, in the order in which they came', async () => {
  const started: number[] = [];
  const gate = new ProbeGate(new ManualClock(), 5, 2);
  const tickets = Array.from({ length: 9 }, (_, i): Ticket => gate.enter(true, () => started.push(i)));
  expect(started).toEqual([]);
  const counts: number[] = [];
  for (let i = 0; i < 5; i++) {
    await turn();
    counts.push(started.length);
  }
  expect(counts).toEqual([2, 4, 5, 5, 5]);

  // One ends twice, one leaves the line: one place, and it goes to the next in line.
  gate.leave(tickets[0] as Ticket);
  gate.leave(tickets[0] as Ticket);
  gate.leave(tickets[5] as Ticket);
  await turn();
  await turn();
  expect(started).toEqual([0, 1, 2, 3, 4, 6]);

  gate.close();
  gate.leave(tickets[1] as Ticket);
  await turn();
  expect(started.length).toBe(6);
});

test('thousands in line are all served', async () => {
  let startedCount = 0;
  const gate = new ProbeGate(new ManualClock(), 100, 50);
  for (let i = 0; i < 5_000; i++) {
    const ticket: Ticket = gate.enter(true, () => {
      startedCount += 1;
      setImmediate(() => gate.leave(ticket));
    });
  }
  while (startedCount < 5_000) await turn();
  expect(startedCount).toBe(5_000);
});

test('servers that are down never take the places of those that are up', async () => {
  const started: string[] = [];
  const gate = new ProbeGate(new ManualClock(), 8, 100);
  for (let i = 0; i < 100; i++) gate.enter(false, () => started.push('down'));
  await turn();
  // Dead servers hold their places until their timeouts: none of these leaves.
  expect(started).toEqual(Array(6).fill('down'));
  const up: Ticket[] = [];
  for (let i = 0; i < 50; i++) {
    const ticket: Ticket = gate.enter(true, () => {
      started.push('up');
      setImmediate(() => gate.leave(ticket));
    });
    up.push(ticket);
  }
  while (started.length < 56) await turn();
  expect(started.slice(6)).toEqual(Array(50).fill('up'));
});

test.each([
  [64, 32],
  [1_024, 512],
  [Number.MAX_SAFE_INTEGER, 8_192],
  [4, 8],
])('with %i descriptors there are %i places', (limit, places) => {
  expect(probePlaces(limit)).toBe(places);
});
