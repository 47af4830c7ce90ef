// When the counters are looked at: every two seconds while there are rows, and never without.

import { expect, test } from 'vitest';
import type { ServiceStatus } from '../../../src/dataplane/port.js';
import { seconds } from '../../../src/model/units.js';
import { Observer } from '../../../src/runtime/observer.js';
import { samplePeriod_s } from '../../../src/runtime/rates.js';
import { ManualClock } from '../../support/manual-clock.js';

function fixture() {
  const clock = new ManualClock();
  const traffic = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };
  const row = {
    id: { kind: 'mark', mark: 1, family: 4 },
    traffic,
    destinations: [],
  } as unknown as ServiceStatus;
  const rows: ServiceStatus[] = [];
  let looks = 0;
  let onRow = () => {};
  const observer = new Observer(clock, { services: () => rows }, () => {
    looks += 1;
    onRow();
    return { row: () => {}, end: () => {} };
  });
  const pass = (samples: number) => clock.advance(seconds(samples * samplePeriod_s));
  const during = (action: () => void) => {
    onRow = action;
  };
  return { clock, rows, row, observer, pass, during, looks: () => looks };
}

test('without rows it sleeps after one look; a new table wakes it', async () => {
  const { clock, rows, row, observer, pass, looks } = fixture();
  observer.start();
  await pass(3);
  expect([looks(), clock.alarmCount]).toEqual([1, 0]);
  rows.push(row);
  observer.start();
  await pass(3);
  expect(looks()).toBe(4);
  observer.start();
  expect(clock.alarmCount).toBe(1);
  rows.pop();
  await pass(3);
  // One for what was asked meanwhile, and one that finds nothing.
  expect([looks(), clock.alarmCount]).toEqual([6, 0]);
  observer.stop();
});

test('a table that comes during a look is looked at', async () => {
  const { rows, row, observer, pass, during, looks } = fixture();
  observer.start();
  during(() => observer.start());
  await pass(1);
  during(() => {});
  rows.push(row);
  await pass(2);
  expect(looks()).toBe(3);
  observer.stop();
});
