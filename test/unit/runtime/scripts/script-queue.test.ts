// The order of notify scripts: one after another for each subject, side by side otherwise, and never held up for good.

import { beforeEach, expect, test } from 'vitest';
import { seconds } from '../../../../src/model/units.js';
import {
  maxRunning,
  maxWaiting,
  patience,
  ScriptQueue,
} from '../../../../src/runtime/scripts/script-queue.js';
import { FakeScriptRunner, noPolicy } from '../../../support/fake-script-runner.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLog } from '../../../support/recording-log.js';

let clock: ManualClock;
let runner: FakeScriptRunner;
let log: RecordingLog;
let queue: ScriptQueue;

beforeEach(() => {
  clock = new ManualClock();
  runner = new FakeScriptRunner();
  log = new RecordingLog();
  queue = new ScriptQueue({ clock, log, runner });
});

const add = (subject: string, name: string) =>
  queue.add({ subject, title: name, command: { words: [name], account: undefined }, policy: noPolicy });
const names = () => runner.running.map(({ command }) => command.words[0]);

test('one subject waits for its own script alone, in order', () => {
  for (const name of ['a1', 'a2', 'a3']) add('A', name);
  add('B', 'b1');
  expect(names()).toEqual(['a1', 'b1']);
  runner.exit(0);
  expect(names()).toEqual(['b1', 'a2']);
  runner.exit(0);
  runner.exit(0);
  expect(names()).toEqual(['a3']);
  expect(runner.running.map(({ onOurEnd }) => onOurEnd)).toEqual(['outlives']);
});

test('a bound for all subjects; whoever waits comes next', () => {
  for (let i = 0; i <= maxRunning; i++) add(`S${i}`, `s${i}`);
  expect(runner.running).toHaveLength(maxRunning);
  runner.exit(0);
  expect(names().at(-1)).toBe(`s${maxRunning}`);
});

test('a script that does not end holds nobody up for longer than our patience, and is not ended', async () => {
  for (let i = 0; i < maxRunning; i++) add(`S${i}`, `hangs${i}`);
  add('S0', 'next');
  add('T', 'other');
  await clock.advance(patience);
  expect(names().slice(-2).sort()).toEqual(['next', 'other']);
  expect(runner.running.map(({ endCount }) => endCount)).not.toContain(1);
  expect(log.lines).toContain('warn hangs0 has run for 30 s; the next script does not wait for it');
  // Its late end lets nobody on a second time.
  add('S0', 'last');
  runner.running.find(({ command }) => command.words[0] === 'hangs0')?.finish({ kind: 'exited', status: 0 });
  expect(names()).not.toContain('last');
});

test('of too many that wait for one the oldest are left out', () => {
  for (let i = 0; i < maxWaiting + 3; i++) add('A', `a${i}`);
  expect(log.take()).toEqual([
    'warn a1 is left out: too many scripts wait for one that does not end',
    'warn a2 is left out: too many scripts wait for one that does not end',
  ]);
  runner.exit(0);
  expect(names()).toEqual(['a3']);
});

test('failures are said, and the next one runs all the same', async () => {
  add('A', 'a1');
  add('A', 'a2');
  add('A', 'a3');
  add('A', 'a4');
  runner.exit(3);
  runner.running[0]?.finish({ kind: 'signalled', signal: 'SIGKILL' });
  runner.defects.set('a4', { why: 'has nobody to run as', remedy: '' });
  runner.exit(0);
  await clock.settle();
  expect(log.take()).toEqual([
    'warn a1 failed result=exit status 3',
    'warn a2 failed result=SIGKILL',
    'warn a4 failed result=has nobody to run as',
  ]);
  expect(await queue.settle(seconds(1))).toBe(true);
});

test('settle waits for what runs and waits, but not for ever', async () => {
  expect(await queue.settle(seconds(1))).toBe(true);
  add('A', 'a1');
  add('A', 'a2');
  const [good, late] = [queue.settle(seconds(5)), queue.settle(seconds(1))];
  await clock.advance(seconds(1));
  expect(await late).toBe(false);
  runner.exit(0);
  runner.exit(0);
  expect(await good).toBe(true);
  expect(clock.alarmCount).toBe(0);
});
