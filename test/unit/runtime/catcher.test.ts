// What nobody catches: a callback that throws or rejects is told, counted and called again, until it is cancelled.
import { expect, test } from 'vitest';
import { seconds } from '../../../src/model/units.js';
import { Catcher } from '../../../src/runtime/catcher.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';

function fixture() {
  const manual = new ManualClock();
  const log = new RecordingLog();
  const catcher = new Catcher(manual, log);
  const calls: string[] = [];
  /** Fails as long as there are failures left. */
  const failing = (name: string, failures: number, how: 'throws' | 'rejects' = 'throws') => {
    let left = failures;
    return () => {
      calls.push(name);
      if (left === 0) return;
      left -= 1;
      if (how === 'rejects') return Promise.reject(new Error(`${name} failed`));
      throw new Error(`${name} failed`);
    };
  };
  return { manual, log, catcher, calls, failing };
}

test.each(['throws', 'rejects'] as const)(
  'an alarm whose callback %s rings again until it works',
  async (how) => {
    const { manual, catcher, calls, failing } = fixture();
    catcher.clock.at(manual.now(), failing('look', 2, how));
    await manual.advance(seconds(10));
    expect(calls).toEqual(['look', 'look', 'look']);
    expect([catcher.failedSteps, manual.alarmCount]).toEqual([2, 0]);
  },
);

test('so does the next turn', async () => {
  const { manual, catcher, calls, failing } = fixture();
  catcher.clock.soon(failing('turn', 1));
  await manual.advance(seconds(2));
  expect(calls).toEqual(['turn', 'turn']);
});

test('who cancels it meanwhile has cancelled it, and after the end nothing is tried again', async () => {
  const { manual, catcher, calls, failing } = fixture();
  const cancel = catcher.clock.at(manual.now(), failing('cancelled', 9));
  await manual.advance(seconds(0));
  cancel();
  catcher.clock.at(manual.now(), failing('late', 9, 'rejects'));
  await manual.advance(seconds(0));
  catcher.close();
  await manual.advance(seconds(10));
  expect(calls).toEqual(['cancelled', 'late']);
  expect(manual.alarmCount).toBe(0);
});

test('one failure is one line a minute, another is another', async () => {
  const { manual, log, catcher, failing } = fixture();
  catcher.clock.at(manual.now(), failing('look', 100));
  await manual.advance(seconds(50));
  expect(log.take()).toEqual([expect.stringContaining('look failed')]);
  catcher.run(failing('event', 1));
  expect(log.take()).toEqual([expect.stringContaining('event failed')]);
});

test('a step that fails at once tells its caller, who makes up for it', () => {
  const { catcher, calls, failing } = fixture();
  catcher.run(failing('event', 1), () => calls.push('made up for'));
  catcher.run(failing('event', 0), () => calls.push('never'));
  expect(calls).toEqual(['event', 'made up for', 'event']);
});
