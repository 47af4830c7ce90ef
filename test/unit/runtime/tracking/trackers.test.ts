// Tracked scripts on a clock that stands, with a runner without processes: rhythm, results, defects, reload, stop.

import { beforeEach, expect, test } from 'vitest';
import { micros, seconds } from '../../../../src/model/units.js';
import type { TrackScript } from '../../../../src/model/virtual-router.js';
import { Trackers } from '../../../../src/runtime/tracking/trackers.js';
import { FakeScriptRunner, noPolicy } from '../../../support/fake-script-runner.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLog } from '../../../support/recording-log.js';

const check: TrackScript = {
  name: 'check',
  command: ['/bin/check', 'a b'],
  interval: seconds(2),
  timeout: seconds(1),
  rise: 1,
  fall: 2,
  failsAtStart: false,
  account: { user: 'watcher', group: undefined },
};

let clock: ManualClock;
let runner: FakeScriptRunner;
let log: RecordingLog;
let changes: number;
let trackers: Trackers;

beforeEach(() => {
  clock = new ManualClock();
  runner = new FakeScriptRunner();
  log = new RecordingLog();
  changes = 0;
  trackers = new Trackers({ clock, log, runner }, () => {
    changes += 1;
  });
});

const seen = () => Object.fromEntries(trackers.scripts);
const status = () => trackers.status.scripts[0];

test('runs at once and on its interval; only a verdict that changes is reported', async () => {
  trackers.configure([check], [], noPolicy);
  expect(seen()).toEqual({ check: undefined });
  await clock.settle();
  await clock.advance(micros(0));
  expect(runner.running).toMatchObject([
    { command: { words: ['/bin/check', 'a b'], account: check.account }, onOurEnd: 'dies' },
  ]);
  runner.exit(0);
  expect([seen(), changes]).toEqual([{ check: true }, 1]);
  await clock.advance(seconds(1.9));
  expect(runner.running).toEqual([]);
  await clock.advance(seconds(0.1));
  runner.exit(3);
  expect([seen(), changes]).toEqual([{ check: true }, 1]);
  await clock.advance(seconds(2));
  runner.exit(3);
  expect([seen(), changes]).toEqual([{ check: false }, 2]);
  expect(status()).toEqual({
    name: 'check',
    isUp: false,
    lastResult: 'exit status 3',
    exitStatus: 3,
    at: clock.wall(),
    isRunning: false,
    runsAs: 'somebody',
    defect: undefined,
  });
  expect(log.take()).toEqual([
    'info script check succeeded result=exit status 0',
    'warn script check failed result=exit status 3',
  ]);
});

test('a timeout ends it and is its result; the next run waits until it is dead', async () => {
  trackers.configure([{ ...check, fall: 1, interval: seconds(1) }], [], noPolicy);
  await clock.advance(micros(0));
  const [slow] = runner.running;
  expect(status()?.isRunning).toBe(true);
  await clock.advance(seconds(1));
  expect([slow?.endCount, seen(), status()?.lastResult]).toEqual([1, { check: false }, 'timeout']);
  await clock.advance(seconds(0.5));
  expect(runner.running).toEqual([slow]);
  slow?.finish({ kind: 'signalled', signal: 'SIGKILL' });
  expect([runner.running.length, seen()]).toEqual([1, { check: false }]);
  runner.exit(0);
  expect(seen()).toEqual({ check: true });
});

test('one that can not be killed is never started twice', async () => {
  trackers.configure([{ ...check, interval: seconds(1) }], [], noPolicy);
  await clock.advance(seconds(60));
  expect(runner.started).toHaveLength(1);
  expect(seen()).toEqual({ check: false });
});

test.each([
  [{ kind: 'signalled', signal: 'SIGSEGV' }, false, 'SIGSEGV'],
  [
    { kind: 'not-run', why: 'could not be started: /bin/check: no such file or directory' },
    false,
    'could not be started: /bin/check: no such file or directory',
  ],
  [{ kind: 'inconclusive', why: 'was lost' }, undefined, undefined],
] as const)('%j counts as %s', async (end, isUp, lastResult) => {
  trackers.configure([check], [], noPolicy);
  await clock.advance(micros(0));
  runner.running[0]?.finish(end);
  expect([seen(), status()?.lastResult]).toEqual([{ check: isUp }, lastResult]);
  await clock.advance(seconds(2));
  expect(runner.running).toHaveLength(1);
});

test('a script that can not be run is bad at once, is said once with its remedy, and may recover', async () => {
  runner.defects.set('/bin/check', { why: 'has nobody to run as', remedy: 'script_user' });
  trackers.configure([check], [], noPolicy);
  expect([seen(), [...trackers.scriptDefects], changes]).toEqual([
    { check: false },
    [['check', 'has nobody to run as']],
    0,
  ]);
  await clock.advance(seconds(10));
  expect(log.take()).toEqual([
    'warn script check has nobody to run as remedy=script_user',
    'warn script check failed result=has nobody to run as',
  ]);
  expect(status()).toMatchObject({ runsAs: undefined, defect: { why: 'has nobody to run as' } });
  runner.defects.clear();
  await clock.advance(seconds(2));
  runner.exit(0);
  expect([seen(), [...trackers.scriptDefects]]).toEqual([{ check: true }, []]);
  expect(changes).toBeGreaterThan(0);
});

test('a good script that becomes refused is bad at its next run, whatever `fall` says', async () => {
  trackers.configure([check], [], noPolicy);
  await clock.advance(micros(0));
  runner.exit(0);
  runner.defects.set('/bin/check', { why: 'is refused', remedy: 'chmod' });
  await clock.advance(seconds(2));
  expect([seen(), [...trackers.scriptDefects]]).toEqual([{ check: false }, [['check', 'is refused']]]);
});

test('a reload keeps what is the same, and a changed script counts as before until it has a result', async () => {
  const other = { ...check, name: 'other', command: ['/bin/other'] };
  trackers.configure([check, other], [], noPolicy);
  await clock.advance(micros(0));
  runner.exit(0);
  runner.exit(1);
  await clock.advance(seconds(1));
  changes = 0;
  trackers.configure([other, { ...check, interval: seconds(5) }], [], noPolicy);
  expect([seen(), changes]).toEqual([{ other: false, check: true }, 0]);
  await clock.advance(micros(0));
  expect(runner.started).toEqual(['/bin/check a b', '/bin/other', '/bin/check a b']);
  runner.exit(1);
  expect([seen(), changes]).toEqual([{ other: false, check: false }, 1]);
});

test('a script that a reload adds counts as good until its first result, unless init_fail says otherwise', async () => {
  trackers.configure([], [], noPolicy);
  const strict = { ...check, name: 'strict', command: ['/bin/strict'], failsAtStart: true };
  trackers.configure([check, strict], [], noPolicy);
  expect(seen()).toEqual({ check: true, strict: false });
  await clock.advance(micros(0));
  runner.exit(1);
  runner.exit(0);
  expect(seen()).toEqual({ check: false, strict: true });
});

test('a new policy is a new script: another account may see other things', async () => {
  trackers.configure([check], [], noPolicy);
  await clock.advance(micros(0));
  const [before] = runner.running;
  trackers.configure([check], [], { ...noPolicy, isSecure: true });
  expect(before?.endCount).toBe(1);
  await clock.advance(micros(0));
  expect(runner.running.map(({ policy }) => policy.isSecure)).toEqual([false, true]);
});

test('a script that is gone is ended, and so is everything at a stop; late ends change nothing', async () => {
  trackers.configure([check, { ...check, name: 'gone', command: ['/bin/gone'] }], [], noPolicy);
  await clock.advance(micros(0));
  const [first, gone] = runner.running;
  trackers.configure([check], [], noPolicy);
  expect([first?.endCount, gone?.endCount]).toEqual([0, 1]);
  trackers.stop();
  expect(first?.endCount).toBe(1);
  first?.finish({ kind: 'exited', status: 0 });
  gone?.finish({ kind: 'exited', status: 0 });
  await clock.advance(seconds(10));
  expect([changes, clock.alarmCount, runner.running, seen()]).toEqual([0, 0, [], {}]);
});

test('init_fail', async () => {
  trackers.configure([{ ...check, failsAtStart: true }], [], noPolicy);
  expect(seen()).toEqual({ check: false });
  await clock.advance(micros(0));
  runner.exit(0);
  expect(seen()).toEqual({ check: true });
});
