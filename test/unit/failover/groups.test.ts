// Sync groups as they run: members move together, are notified of, switch over and stop together.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SwitchoverOutcome } from '../../../src/runtime/failover/switchover.js';
import {
  type FailoverDirector,
  FailoverLab,
  routerWith,
  type Setup,
} from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const first = '10.0.0.100';
const second = '10.0.0.200';

function both(priority: number, more: Partial<Setup> = {}): Setup {
  return {
    routers: [
      routerWith({ priority }),
      routerWith({ name: 'VI_2', virtualRouterId: 52, priority, addresses: [prefix(second)] }),
    ],
    groups: [['VI_1', 'VI_2']],
    ...more,
  };
}

async function pair(): Promise<{ a: FailoverDirector; b: FailoverDirector }> {
  const a = await lab.start('a', 1, both(150));
  const b = await lab.start('b', 2, both(100));
  await lab.wait(6);
  lab.take();
  return { a, b };
}

const states = (director: FailoverDirector) => [director.state('VI_1'), director.state('VI_2')];
const group = (director: FailoverDirector) => director.director.virtualRouters().syncGroups[0];

test('both are master on one side, and the group is told of after its members', async () => {
  const { a, b } = await pair();
  expect([states(a), states(b)]).toEqual([
    ['master', 'master'],
    ['backup', 'backup'],
  ]);
  // Members in any order, the group behind them.
  expect([a.notified.slice(0, 2).sort(), a.notified.slice(3, 5).sort()]).toEqual([
    ['VI_1 BACKUP 150', 'VI_2 BACKUP 150'],
    ['VI_1 MASTER 150', 'VI_2 MASTER 150'],
  ]);
  expect([a.notified[2], a.notified[5], a.notified.length]).toEqual(['G1 BACKUP 0', 'G1 MASTER 0', 6]);
  expect(group(a)).toEqual({ name: 'G1', state: 'master', members: ['VI_1', 'VI_2'] });
  expect(a.view('VI_2').group).toBe('G1');
  expect(a.events).toContainEqual({ kind: 'sync-group-changed', group: 'G1', state: 'master' });
});

test('the takeover of one is that of all, and is held against its budget; preempting somebody who lives is none', async () => {
  const { a, b } = await pair();
  const takeovers = (director: FailoverDirector) =>
    ['VI_1', 'VI_2'].map((name) =>
      director.view(name).takeovers.map(({ cause, isWithin }) => [cause, isWithin]),
    );
  expect(takeovers(a)).toEqual([[], []]);
  a.network.die();
  await lab.wait(2);
  expect(states(b)).toEqual(['master', 'master']);
  expect(takeovers(b)).toEqual([[['released', true]], [['released', true]]]);
  const c = await lab.start('c', 3, both(200));
  await lab.wait(6);
  expect(states(c)).toEqual(['master', 'master']);
  expect(takeovers(c)).toEqual([[], []]);
});

test('a fault of one is the fault of all; the peer takes both', async () => {
  const track = { kind: 'script', name: 'web', weight: 0, isReversed: false } as const;
  const setup = both(150);
  const [one, two] = setup.routers;
  if (one === undefined || two === undefined) throw new Error('two routers');
  const a = lab.create('a', 1, { ...setup, routers: [{ ...one, tracks: [track] }, two] });
  a.tracking.scripts.set('web', true);
  await a.director.start();
  const b = await lab.start('b', 2, both(100));
  await lab.wait(6);
  a.tracking.setScript('web', false);
  expect(states(a)).toEqual(['fault', 'fault']);
  expect(a.view('VI_2').faults).toEqual(['VI_1 is in fault']);
  await lab.wait(1);
  expect(states(b)).toEqual(['master', 'master']);
  expect(a.notified.at(-1)).toBe('G1 FAULT 0');
  expect(lab.holdersOf(second)).toEqual(['b']);
  a.tracking.setScript('web', true);
  await lab.wait(6);
  expect(states(a)).toEqual(['master', 'master']);
});

test('a group starts when the scripts of all members have a result', async () => {
  const track = { kind: 'script', name: 'web', weight: 0, isReversed: false } as const;
  const setup = both(150);
  const [one, two] = setup.routers;
  if (one === undefined || two === undefined) throw new Error('two routers');
  const a = await lab.start('a', 1, { ...setup, routers: [{ ...one, tracks: [track] }, two] });
  await lab.wait(10);
  expect([states(a), a.notified]).toEqual([['initialize', 'initialize'], []]);
  a.tracking.setScript('web', true);
  expect(states(a)).toEqual(['backup', 'backup']);
});

test('what moves the priority of one moves that of all', async () => {
  const track = { kind: 'file', name: 'load', weight: 1, isReversed: false } as const;
  const a = await lab.start('a', 1, both(150, { groupTracks: [track] }));
  a.tracking.setFile('load', -30);
  expect([a.view('VI_1').priority, a.view('VI_2').priority]).toEqual([120, 120]);
});

describe('together', () => {
  async function result(work: Promise<readonly SwitchoverOutcome[]>): Promise<readonly SwitchoverOutcome[]> {
    let outcomes: readonly SwitchoverOutcome[] | undefined;
    void work.then((value) => {
      outcomes = value;
    });
    while (outcomes === undefined) await lab.wait(0.01);
    return outcomes;
  }

  test.each(['G1', 'VI_2', undefined])('switchover %s takes all members', async (name) => {
    const { a, b } = await pair();
    const outcomes = await result(a.director.switchover(name));
    expect(outcomes.map(({ router, kind }) => [router, kind])).toEqual([
      ['VI_1', 'taken-over'],
      ['VI_2', 'taken-over'],
    ]);
    await lab.wait(10);
    expect([states(a), states(b)]).toEqual([
      ['backup', 'backup'],
      ['master', 'master'],
    ]);
  });

  test('a failed switchover takes all back', async () => {
    const a = await lab.start('a', 1, both(150));
    await lab.wait(5);
    const outcomes = await result(a.director.switchover('G1'));
    expect(outcomes.map(({ kind }) => kind)).toEqual(['nobody-took-over', 'nobody-took-over']);
    expect(states(a)).toEqual(['master', 'master']);
    expect(lab.holdersOf(second)).toEqual(['a']);
  });

  test('a stop: each lets go when its own successor is heard', async () => {
    const { a, b } = await pair();
    await a.stop();
    expect(states(b)).toEqual(['master', 'master']);
    expect(lab.take().filter((entry) => entry.startsWith('a: remove'))).toEqual([
      `a: remove ${first}`,
      `a: remove ${second}`,
    ]);
    expect(a.notified.slice(-3)).toEqual(['VI_1 STOP 150', 'VI_2 STOP 150', 'G1 STOP 0']);
  });

  test('the guardian gives both up', async () => {
    const { a, b } = await pair();
    a.network.die();
    await lab.wait(1);
    expect(states(b)).toEqual(['master', 'master']);
    expect(a.addresses()).toEqual([]);
  });
});
