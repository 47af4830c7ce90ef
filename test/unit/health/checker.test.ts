// The checker as a table: state × event → state and actions.

import { describe, expect, test } from 'vitest';
import {
  type CheckerEvent,
  type CheckerState,
  checkerDeadline,
  startChecker,
  stepChecker,
} from '../../../src/health/checker.js';
import type { CheckerPolicy } from '../../../src/model/director-config.js';
import { addMicros, type Micros, micros, seconds } from '../../../src/model/units.js';

const policy: CheckerPolicy = {
  kind: 'tcp',
  question: {},
  timeout: seconds(5),
  delayLoop: seconds(10),
  retries: 1,
  delayBeforeRetry: seconds(1),
  warmup: seconds(10),
  alpha: false,
  logAllFailures: false,
};

const now = seconds(100);
const later = (s: number) => addMicros(now, seconds(s));

const waiting = (fields: Partial<Extract<CheckerState, { kind: 'waiting' }>> = {}): CheckerState => ({
  kind: 'waiting',
  isUp: true,
  failures: 0,
  probe: 3,
  probeAt: now,
  ...fields,
});
const queued = (fields: Partial<Extract<CheckerState, { kind: 'queued' }>> = {}): CheckerState => ({
  kind: 'queued',
  isUp: true,
  failures: 0,
  probe: 3,
  ...fields,
});
const probing = (fields: Partial<Extract<CheckerState, { kind: 'probing' }>> = {}): CheckerState => ({
  kind: 'probing',
  isUp: true,
  failures: 0,
  probe: 3,
  timeoutAt: later(5),
  ...fields,
});

const passed: CheckerEvent = { kind: 'result', probe: 3, result: { kind: 'passed' } };
const failed: CheckerEvent = {
  kind: 'result',
  probe: 3,
  result: { kind: 'failed', reason: 'connection refused' },
};
const unable: CheckerEvent = {
  kind: 'result',
  probe: 3,
  result: { kind: 'unable', reason: 'no descriptors' },
};
const staleFailure: CheckerEvent = { ...failed, probe: 2 };
const deadline: CheckerEvent = { kind: 'deadline' };
const started: CheckerEvent = { kind: 'probe-started', probe: 3 };
const hurry: CheckerEvent = { kind: 'hurry' };
const stop: CheckerEvent = { kind: 'stop' };

type Row = {
  readonly name: string;
  readonly state: CheckerState;
  readonly event: CheckerEvent;
  readonly policy?: Partial<CheckerPolicy>;
  readonly at?: Micros;
  readonly next: CheckerState;
  readonly actions?: readonly unknown[];
};

const rows: readonly Row[] = [
  {
    name: 'waiting, its time has come: wants a probe',
    state: waiting(),
    event: deadline,
    next: queued({ probe: 4 }),
    actions: [{ kind: 'start-probe', probe: 4 }],
  },
  {
    name: 'waiting, a deadline before its time: nothing',
    state: waiting({ probeAt: later(1) }),
    event: deadline,
    next: waiting({ probeAt: later(1) }),
  },
  { name: 'waiting, a late result: nothing', state: waiting(), event: failed, next: waiting() },
  {
    name: 'waiting and down, hurry: its time is now',
    state: waiting({ isUp: false, probeAt: later(9) }),
    event: hurry,
    next: waiting({ isUp: false, probeAt: later(0) }),
  },
  {
    name: 'waiting and up, hurry: nothing',
    state: waiting({ probeAt: later(9) }),
    event: hurry,
    next: waiting({ probeAt: later(9) }),
  },
  {
    name: 'queued and down, hurry: it stands in line already',
    state: queued({ isUp: false }),
    event: hurry,
    next: queued({ isUp: false }),
  },
  {
    name: 'probing and down, hurry: the probe begins anew',
    state: probing({ isUp: false }),
    event: hurry,
    next: waiting({ isUp: false, probeAt: later(0) }),
    actions: [{ kind: 'cancel-probe', probe: 3 }],
  },
  { name: 'waiting, stop: nothing to cancel', state: waiting(), event: stop, next: waiting() },
  {
    name: 'queued, the probe starts: the timeout runs from now',
    state: queued(),
    event: started,
    next: probing(),
  },
  {
    name: 'queued, a deadline: nothing, however late',
    state: queued(),
    event: deadline,
    at: later(1_000),
    next: queued(),
  },
  {
    name: 'queued, an older probe starts: nothing',
    state: queued(),
    event: { kind: 'probe-started', probe: 2 },
    next: queued(),
  },
  {
    name: 'queued, stop: leaves the line',
    state: queued(),
    event: stop,
    next: queued(),
    actions: [{ kind: 'cancel-probe', probe: 3 }],
  },
  {
    name: 'probing, passed: stays up without a word',
    state: probing(),
    event: passed,
    next: waiting({ probeAt: later(10) }),
  },
  {
    name: 'probing after a failure, passed: the failure is forgotten',
    state: probing({ failures: 1 }),
    event: passed,
    next: waiting({ probeAt: later(10) }),
  },
  {
    name: 'probing, failed: retried soon, nothing concluded',
    state: probing(),
    event: failed,
    next: waiting({ failures: 1, probeAt: later(1) }),
  },
  {
    name: 'probing, failed with log_all_failures: said',
    state: probing(),
    event: failed,
    policy: { logAllFailures: true },
    next: waiting({ failures: 1, probeAt: later(1) }),
    actions: [{ kind: 'log', text: 'connection refused, retry 1 of 1' }],
  },
  {
    name: 'probing, failed beyond the retries: down',
    state: probing({ failures: 1 }),
    event: failed,
    next: waiting({ isUp: false, probeAt: later(10) }),
    actions: [{ kind: 'server-down', reason: 'connection refused (after 1 retry)' }],
  },
  {
    name: 'probing, failed with no retries: down at once',
    state: probing(),
    event: failed,
    policy: { retries: 0 },
    next: waiting({ isUp: false, probeAt: later(10) }),
    actions: [{ kind: 'server-down', reason: 'connection refused' }],
  },
  {
    name: 'probing a dead server, failed: no retries, no words',
    state: probing({ isUp: false }),
    event: failed,
    next: waiting({ isUp: false, probeAt: later(10) }),
  },
  {
    name: 'probing a dead server, failed with log_all_failures: said',
    state: probing({ isUp: false }),
    event: failed,
    policy: { logAllFailures: true },
    next: waiting({ isUp: false, probeAt: later(10) }),
    actions: [{ kind: 'log', text: 'connection refused, still down' }],
  },
  {
    name: 'probing a dead server, passed: up',
    state: probing({ isUp: false }),
    event: passed,
    next: waiting({ probeAt: later(10) }),
    actions: [{ kind: 'server-up' }],
  },
  {
    name: 'probing, this machine could not even try: nothing concluded',
    state: probing({ failures: 1 }),
    event: unable,
    next: waiting({ failures: 1, probeAt: later(1) }),
    actions: [{ kind: 'log', text: 'no descriptors, nothing concluded' }],
  },
  {
    name: 'probing, the result of an older probe: nothing',
    state: probing(),
    event: staleFailure,
    next: probing(),
  },
  {
    name: 'probing, a deadline before the timeout: nothing',
    state: probing(),
    event: deadline,
    next: probing(),
  },
  {
    name: 'probing, the timeout: cancelled, and a failure',
    state: probing(),
    event: deadline,
    at: later(5),
    policy: { retries: 0 },
    next: waiting({ isUp: false, probeAt: later(15) }),
    actions: [
      { kind: 'cancel-probe', probe: 3 },
      { kind: 'server-down', reason: 'no answer within 5 s' },
    ],
  },
  {
    name: 'probing, stop: cancelled',
    state: probing(),
    event: stop,
    next: probing(),
    actions: [{ kind: 'cancel-probe', probe: 3 }],
  },
];

test.each(rows)('$name', ({ state, event, policy: changed, at = now, next, actions = [] }) => {
  expect(stepChecker({ ...policy, ...changed }, state, event, at)).toEqual({ state: next, actions });
});

describe('start', () => {
  test.each([
    [0, 0],
    [0.5, 5],
    [0.999_999_99, 9.999_999_9],
  ])('random %d of a warm-up of 10 s: the first probe after %d s', (random, wait_s) => {
    expect(startChecker(policy, now, random)).toEqual({
      kind: 'waiting',
      isUp: true,
      failures: 0,
      probe: 0,
      probeAt: addMicros(now, micros(wait_s * 1e6)),
    });
  });

  test('alpha starts down, and needs one good probe and no retries', () => {
    expect(startChecker({ ...policy, alpha: true }, now, 0).isUp).toBe(false);
  });

  test.each([true, false])('in place of another checker it keeps its verdict (%s), alpha or not', (wasUp) => {
    expect(startChecker({ ...policy, alpha: !wasUp }, now, 0, wasUp).isUp).toBe(wasUp);
  });
});

test.each([
  [waiting({ probeAt: later(7) }), later(7)],
  [queued(), undefined],
  [probing(), later(5)],
])('the deadline of %o', (state, expected) => {
  expect(checkerDeadline(state)).toBe(expected);
});
