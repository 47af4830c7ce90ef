// How many probes run at once, and how many start in one turn of the event loop.

import { expect, test } from 'vitest';
import { ProbeGate, type Ticket } from '../../../src/runtime/probe-gate.js';
import { ManualClock } from '../../support/manual-clock.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('so many a turn, so many at once, in the order in which they came', async () => {
  const started: number[] = [];
  const gate = new ProbeGate(new ManualClock(), 5, 2);
  const tickets = Array.from({ length: 9 }, (_, i): Ticket => gate.enter(() => started.push(i)));
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
    const ticket: Ticket = gate.enter(() => {
      startedCount += 1;
      setImmediate(() => gate.leave(ticket));
    });
  }
  while (startedCount < 5_000) await turn();
  expect(startedCount).toBe(5_000);
});
