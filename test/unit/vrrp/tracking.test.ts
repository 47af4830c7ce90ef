// Tracked things: what they make of priority and faults, how scripts rise and fall, and what failover may cost.
import { describe, expect, test } from 'vitest';
import { micros, seconds } from '../../../src/model/units.js';
import { asStrict, strictDefects, type Track, type TrackScript } from '../../../src/model/virtual-router.js';
import { budgetEntries, budgetFor, failoverBudget } from '../../../src/vrrp/budget.js';
import { type Cause, causeText } from '../../../src/vrrp/cause.js';
import {
  judge,
  memberTracks,
  type Observations,
  type ScriptState,
  scriptDeadline,
  startScript,
  stepScript,
} from '../../../src/vrrp/tracking.js';
import { higher, ip, router, vip } from './fixtures.js';

const track = (kind: Track['kind'], weight: number, isReversed = false): Track => ({
  kind,
  name: 'x',
  weight,
  isReversed,
});

function seen(value: boolean | number | undefined): Observations {
  const isNumber = typeof value === 'number';
  return {
    devices: new Map(isNumber || value === undefined ? [] : [['x', value]]),
    scripts: new Map([['x', isNumber ? undefined : value]]),
    files: new Map(isNumber ? [['x', value]] : []),
  };
}

describe('judge', () => {
  test.each([
    ['interface', 0, false, true, 100, []],
    ['interface', 0, false, false, 100, ['interface x is down']],
    ['interface', 0, true, true, 100, ['interface x is up']],
    ['interface', -30, false, false, 70, []],
    ['interface', -30, false, true, 100, []],
    ['interface', 30, false, true, 130, []],
    ['interface', 30, false, false, 100, []],
    // As the live keepalived 2.2.7.
    ['interface', 20, true, true, 80, []],
    ['interface', 20, true, false, 100, []],
    ['interface', -20, true, true, 100, []],
    ['interface', -20, true, false, 120, []],
    ['script', 20, true, true, 80, []],
    ['script', -20, true, false, 120, []],
    ['interface', 0, false, undefined, 100, ['interface x is down']],
    ['script', 0, false, undefined, 100, ['script x has not run yet']],
    ['script', 20, false, undefined, 100, []],
    ['script', -20, false, undefined, 100, []],
    ['script', 0, false, false, 100, ['script x failed']],
    ['script', 0, true, true, 100, ['script x succeeded']],
    ['script', 200, false, true, 254, []],
    ['script', -200, false, false, 1, []],
    ['file', 2, false, 5, 110, []],
    ['file', 2, false, -30, 40, []],
    ['file', 2, false, -200, 100, ['file x weighs -400']],
    ['file', 2, false, 127, 254, []],
    ['file', 2, true, 30, 40, []],
    ['file', 2, false, undefined, 100, []],
    ['file', 0, false, 0, 100, []],
    ['file', 0, false, 1, 100, ['file x says 1']],
    ['file', 0, true, 0, 100, ['file x says 0']],
  ] as const)('%s weight %i reversed %s, %s: %i %j', (kind, weight, isReversed, value, priority, faults) => {
    expect(judge(100, [track(kind, weight, isReversed)], seen(value))).toEqual({ priority, faults });
  });

  test.each([
    [0, false, 100, ['script x has nobody to run as']],
    [0, true, 100, ['script x has nobody to run as']],
    [20, true, 100, []],
    [-20, true, 80, []],
  ] as const)(
    'a script that can not be run is bad: weight %i, reversed %s',
    (weight, isReversed, priority, faults) => {
      const observed = { ...seen(true), scriptDefects: new Map([['x', 'has nobody to run as']]) };
      expect(judge(100, [track('script', weight, isReversed)], observed)).toEqual({ priority, faults });
    },
  );

  test("in a sync group a member's weights count only when that is asked for, the group's for all", () => {
    const own = { ...track('interface', 0), name: 'eth0' };
    const weighed = { ...track('script', -20), name: 's' };
    const member = router({ tracks: [own, weighed] });
    const group = { name: 'G', members: ['A', 'B'], tracks: [{ ...track('file', 1), name: 'f' }] };
    const names = (hasMemberWeights: boolean) =>
      memberTracks(member, { ...group, hasMemberWeights }).map(({ name }) => name);
    expect(names(false)).toEqual(['eth0', 'f']);
    expect(names(true)).toEqual(['eth0', 's', 'f']);
  });

  test.each([false, true])(
    "a weight of the group's erases no fault of a member, hasMemberWeights %s",
    (hasMemberWeights) => {
      const member = router({ tracks: [track('interface', 0)] });
      const group = { name: 'G', members: [], tracks: [track('interface', -20)], hasMemberWeights };
      expect(judge(100, memberTracks(member, group), seen(false))).toEqual({
        priority: 80,
        faults: ['interface x is down'],
      });
    },
  );

  test('weights add up before they are bounded; an owner never moves', () => {
    const tracks = [track('interface', 200), track('interface', 90, true), track('script', -20)];
    const all = seen(true);
    expect(judge(100, tracks, all)).toEqual({ priority: 210, faults: [] });
    expect(judge(255, tracks, all)).toEqual({ priority: 255, faults: [] });
  });
});

describe('scripts', () => {
  const script: TrackScript = {
    name: 's',
    command: ['/bin/true'],
    interval: seconds(1),
    timeout: seconds(2),
    rise: 2,
    fall: 3,
    failsAtStart: false,
    account: undefined,
  };

  /** Runs the script once a second with these statuses; what was decided after each. */
  function verdicts(statuses: readonly number[], changes: Partial<TrackScript> = {}) {
    const policy = { ...script, ...changes };
    let state: ScriptState = startScript(policy, micros(0));
    return statuses.map((status) => {
      const at = scriptDeadline(state);
      const started = stepScript(policy, state, { kind: 'deadline' }, at);
      expect(started.actions).toEqual([{ kind: 'run-script', run: started.state.run }]);
      const event = { kind: 'exited' as const, run: started.state.run, status };
      state = stepScript(policy, started.state, event, micros(at + 1000)).state;
      return state.isUp;
    });
  }

  test.each([
    ['the first result decides', [0], [true]],
    ['also a bad one', [1], [false]],
    ['fall 3', [0, 1, 1, 1], [true, true, true, false]],
    ['fall counts in a row', [0, 1, 1, 0, 1, 1], [true, true, true, true, true, true]],
    ['rise 2', [1, 0, 0], [false, false, true]],
    ['rise counts in a row', [1, 0, 1, 0], [false, false, false, false]],
  ])('%s', (_, statuses, expected) => {
    expect(verdicts(statuses)).toEqual(expected);
  });

  test('init_fail counts as failed, and the first result still decides', () => {
    expect(startScript({ ...script, failsAtStart: true }, micros(0)).isUp).toBe(false);
    expect(verdicts([0], { failsAtStart: true })).toEqual([true]);
  });

  test('runs from start to start, and a long one is followed at once', () => {
    const { state } = stepScript(script, startScript(script, seconds(5)), { kind: 'deadline' }, seconds(5));
    const exited = { kind: 'exited', run: 1, status: 0 } as const;
    expect(scriptDeadline(stepScript(script, state, exited, seconds(5.2)).state)).toBe(seconds(6));
    expect(scriptDeadline(stepScript(script, state, exited, seconds(6.5)).state)).toBe(seconds(6.5));
  });

  test('a run that this machine could not do concludes nothing, and the next result is still the first', () => {
    const { state } = stepScript(script, startScript(script, micros(0)), { kind: 'deadline' }, micros(0));
    const { state: waiting, actions } = stepScript(
      script,
      state,
      { kind: 'inconclusive', run: 1 },
      seconds(0.1),
    );
    expect([waiting.isUp, waiting.phase, actions]).toEqual([
      undefined,
      { kind: 'waiting', runAt: seconds(1) },
      [],
    ]);
    const again = stepScript(script, waiting, { kind: 'deadline' }, seconds(1)).state;
    expect(stepScript(script, again, { kind: 'exited', run: 2, status: 0 }, seconds(1)).state.isUp).toBe(
      true,
    );
  });

  test('a timeout kills it and counts as failure; its late end counts for nothing', () => {
    const { state } = stepScript(script, startScript(script, micros(0)), { kind: 'deadline' }, micros(0));
    expect(stepScript(script, state, { kind: 'deadline' }, seconds(1.9)).actions).toEqual([]);
    const late = stepScript(script, state, { kind: 'deadline' }, seconds(2));
    expect(late.actions).toEqual([
      { kind: 'kill-script', run: 1 },
      { kind: 'script-result', isUp: false, why: 'timeout' },
    ]);
    const end = { kind: 'exited', run: 1, status: 0 } as const;
    expect(stepScript(script, late.state, end, seconds(2.1))).toEqual({ state: late.state, actions: [] });
  });
});

describe('budget', () => {
  test('advert_int 1, priority 100', () => {
    expect(failoverBudget(router())).toEqual({
      planned: { outage: 0, takeover: 609_375 },
      killed: 609_375,
      silent: { shortest: 2_609_375, longest: 3_609_375 },
      hung: 7_609_375,
    });
  });

  test('v3, advert_int 0.05: the link may be cut below 250 ms', () => {
    const fast = router({ version: 3, advertInterval: seconds(0.05) });
    expect(failoverBudget(fast).silent.longest).toBe(180_469);
    expect(failoverBudget(fast, 254).silent.longest).toBe(150_391);
  });

  test('entries for status, and what a takeover is held against', () => {
    const budget = failoverBudget(router());
    expect(budgetEntries(budget).map(({ longest }) => longest)).toEqual([0, 609_375, 3_609_375, 7_609_375]);
    const silence: Cause = { kind: 'silence', silence: seconds(3.7), master: undefined };
    expect(budgetFor(silence, budget)).toBe(3_609_375);
    expect(budgetFor({ kind: 'released', by: higher }, budget)).toBe(609_375);
    expect(budgetFor({ kind: 'preempted', master: higher, priority: 50 }, budget)).toBeUndefined();
  });
});

describe('strict_mode', () => {
  test.each([
    ['nothing wrong', {}, []],
    ['no addresses', { addresses: [] }, ['no virtual address']],
    [
      'unicast',
      { delivery: { kind: 'unicast', peers: [], checksSource: false, ttl: 255 } },
      ['unicast peers'],
    ],
    ['IPv6 with v2', { family: 6, addresses: [vip('fe80::1')] }, ['IPv6 with version 2']],
    [
      'IPv6, global first',
      { family: 6, version: 3, addresses: [vip('fd00::1')] },
      ['first address is not link-local'],
    ],
    ['state MASTER', { startState: 'master' }, ['state MASTER with a priority below 255']],
    ['owner, state MASTER', { startState: 'master', priority: 255 }, []],
    ['password', { authentication: { kind: 'simple', password: 'x' } }, ['authentication']],
    ['preempt_delay', { preemptDelay: seconds(1) }, ['preempt_delay']],
  ] as const)('refuses: %s', (_, overrides, defects) => {
    expect(strictDefects(router(overrides))).toEqual(defects);
  });

  test('changes what the RFC does not know, and nothing without it', () => {
    expect(asStrict(router())).toEqual(router());
    expect(asStrict(router({ isStrict: true }))).toMatchObject({
      answersLowerPriority: false,
      acceptsTraffic: false,
      announce: { repeat: 1, delay: 0, refresh: 0, lowerPriorityRepeat: 1 },
    });
    expect(asStrict(router({ isStrict: true, priority: 255 })).acceptsTraffic).toBe(true);
  });
});

test('every cause has a sentence', () => {
  const by = ip('10.0.0.2');
  const causes: Cause[] = [
    { kind: 'created' },
    { kind: 'started' },
    { kind: 'owner' },
    { kind: 'silence', silence: seconds(3.6), master: by },
    { kind: 'silence', silence: seconds(3.6), master: undefined },
    { kind: 'released', by },
    { kind: 'preempted', master: by, priority: 50 },
    { kind: 'higher-priority', by, priority: 150 },
    { kind: 'higher-address', by },
    { kind: 'second-owner', by },
    { kind: 'fault', reasons: ['interface eth0 is down', 'script s failed'] },
    { kind: 'recovered' },
    { kind: 'group', router: 'VI_2' },
    { kind: 'stop' },
    { kind: 'switchover' },
    { kind: 'taken-over', by },
    { kind: 'nobody-took-over' },
    { kind: 'stalled', late: seconds(60) },
  ];
  const texts = causes.map(causeText);
  expect(new Set(texts).size).toBe(causes.length);
  expect(texts[3]).toBe('master 10.0.0.2 was silent for 3.600 s');
  expect(texts[10]).toBe('interface eth0 is down; script s failed');
});
