// A sync group of two: whatever happens to one member, both end in the same state.
import { describe, expect, test } from 'vitest';
import { type Micros, micros, seconds } from '../../../src/model/units.js';
import type { VirtualRouter } from '../../../src/model/virtual-router.js';
import { createInstance, type VrrpEvent, type VrrpState } from '../../../src/vrrp/state.js';
import { type GroupStates, stepGroup } from '../../../src/vrrp/sync-group.js';
import { heard, policy, words } from './fixtures.js';

class Group {
  states: GroupStates;
  readonly policies: Map<string, ReturnType<typeof policy>>;

  constructor(overrides: Partial<VirtualRouter> = {}, names: readonly string[] = ['A', 'B']) {
    this.policies = new Map(names.map((name) => [name, policy({ ...overrides, name })]));
    this.states = new Map(
      [...this.policies].map(([name, { router }]): [string, VrrpState] => [
        name,
        createInstance(router, micros(0)),
      ]),
    );
  }

  at(at_s: number, router: string, event: VrrpEvent): string[] {
    const now: Micros = seconds(at_s);
    const { states, actions } = stepGroup(this.states, router, event, now, this.policies);
    this.states = states;
    return actions.flatMap(({ router: name, action }) => words([action]).map((word) => `${name} ${word}`));
  }

  get kinds(): string {
    return [...this.states.values()].map(({ kind }) => kind).join(' ');
  }
}

function started(overrides: Partial<VirtualRouter> = {}): Group {
  const group = new Group(overrides);
  for (const name of ['A', 'B']) group.at(0, name, { kind: 'start' });
  return group;
}

function asMaster(overrides: Partial<VirtualRouter> = {}): Group {
  const group = started(overrides);
  group.at(3.609375, 'A', { kind: 'deadline' });
  return group;
}

const fault = (...faults: string[]): VrrpEvent => ({ kind: 'tracking', priority: 100, faults });

describe('all move together', () => {
  test('to master, when one hears nobody', () => {
    const group = started();
    const actions = group.at(3.609375, 'A', { kind: 'deadline' });
    expect(actions.filter((action) => action.includes('→'))).toEqual([
      'A backup→master silence',
      'B backup→master group',
    ]);
    expect(actions.filter((action) => action.includes('add-addresses'))).toHaveLength(2);
    expect(group.kinds).toBe('master master');
  });

  test('to backup, when one hears a better one', () => {
    const group = asMaster();
    const actions = group.at(4, 'B', heard(150));
    expect(actions).toEqual([
      'B master→backup higher-priority',
      'B remove-addresses',
      'B forward off',
      'B notify backup 100',
      'A master→backup group',
      'A remove-addresses',
      'A forward off',
      'A notify backup 100',
    ]);
  });

  test('a losing master seen by one is announced against by all', () => {
    expect(asMaster().at(4, 'A', heard(50))).toEqual([
      'A send 100',
      'A announce 5 lower-priority',
      'A notify master-rx-lower-priority 100',
      'B announce 5 lower-priority',
    ]);
  });
});

describe('as keepalived, a group takes over when every member would', () => {
  test("the adverts of one member's link are lost: all stay backup, told once, and nothing flaps", () => {
    const group = started();
    const said: string[] = [];
    for (let at_s = 1; at_s <= 20; at_s++) {
      said.push(...group.at(at_s, 'B', heard(150)));
      said.push(...group.at(at_s + 0.609375, 'A', { kind: 'deadline' }));
    }
    expect(said).toEqual(['A report warning group-waits']);
    expect(group.kinds).toBe('backup backup');
  });

  test('the last of them takes all over, with the cause that it has', () => {
    const group = started();
    group.at(3, 'B', heard(150));
    group.at(3.609375, 'A', { kind: 'deadline' });
    expect(group.kinds).toBe('backup backup');
    const actions = group.at(6.609375, 'B', { kind: 'deadline' });
    expect(actions.filter((action) => action.includes('→'))).toEqual([
      'B backup→master silence',
      'A backup→master group',
    ]);
  });

  test('a member that hears its master again is ready no more', () => {
    const group = started();
    group.at(3, 'B', heard(150));
    group.at(3.609375, 'A', { kind: 'deadline' });
    group.at(4, 'A', heard(150));
    group.at(6.609375, 'B', { kind: 'deadline' });
    expect(group.kinds).toBe('backup backup');
  });

  test('better in one member alone is not better: other priorities on the two machines come to rest', () => {
    const group = started();
    for (let at_s = 1; at_s <= 20; at_s++) {
      for (const [name, priority] of [
        ['A', 50],
        ['B', 150],
      ] as const) {
        group.at(at_s, name, heard(priority));
        group.at(at_s + 0.7, name, { kind: 'deadline' });
      }
    }
    expect(group.kinds).toBe('backup backup');
  });
});

describe('fault', () => {
  test('of one is the fault of all, with the reason', () => {
    const group = asMaster();
    const actions = group.at(4, 'A', fault('interface eth0 is down'));
    expect(group.kinds).toBe('fault fault');
    expect(actions.filter((action) => action.includes('send 0'))).toEqual(['A send 0', 'B send 0']);
    expect(group.states.get('B')?.cause).toEqual({
      kind: 'fault',
      reasons: ['A of the sync group is in fault'],
    });
  });

  test('ends when the last of them is well again', () => {
    const group = asMaster();
    group.at(4, 'A', fault('x'));
    group.at(5, 'B', fault('y'));
    group.at(6, 'A', fault());
    expect(group.kinds).toBe('fault fault');
    group.at(7, 'B', fault());
    expect(group.kinds).toBe('backup backup');
  });

  test('known before the start keeps all out', () => {
    const group = new Group();
    group.at(0, 'A', fault('x'));
    for (const name of ['A', 'B']) group.at(0, name, { kind: 'start' });
    expect(group.kinds).toBe('fault fault');
    group.at(1, 'A', fault());
    expect(group.kinds).toBe('backup backup');
  });

  test('in a group of three, every member names another', () => {
    const group = new Group({}, ['A', 'B', 'C']);
    for (const name of ['A', 'B', 'C']) group.at(0, name, { kind: 'start' });
    group.at(1, 'B', fault('x'));
    expect([...group.states.values()].map(({ groupFault }) => groupFault)).toEqual(['B', undefined, 'B']);
    group.at(1, 'B', fault());
    expect(group.kinds).toBe('backup backup backup');
  });
});

describe('release and switchover', () => {
  test('asked of one, all give up; each keeps its addresses until its own successor is heard', () => {
    const group = asMaster();
    expect(group.at(4, 'A', { kind: 'switchover' })).toEqual([
      'A master→releasing switchover',
      'A send 0',
      'B master→releasing switchover',
      'B send 0',
    ]);
    group.at(4.6, 'A', heard(50));
    expect(group.kinds).toBe('backup releasing');
    group.at(4.7, 'B', heard(50));
    expect(group.kinds).toBe('backup backup');
  });

  test('when one of them is not taken over, all go back', () => {
    const group = asMaster();
    group.at(4, 'A', { kind: 'switchover' });
    group.at(4.6, 'A', heard(50));
    const actions = group.at(6.5, 'B', { kind: 'deadline' });
    expect(group.kinds).toBe('master master');
    expect(actions.filter((action) => action.endsWith('add-addresses'))).toEqual(['A add-addresses']);
  });

  test('each waits as long as the slowest of them may need', () => {
    const group = asMaster();
    group.policies.set('B', policy({ name: 'B', releaseBudget: seconds(9) }));
    group.at(4, 'A', { kind: 'release' });
    const untils = [...group.states.values()].map((state) => state.kind === 'releasing' && state.until);
    expect(untils).toEqual([seconds(13), seconds(13)]);
  });

  test('a stop of one stops all', () => {
    const group = asMaster();
    group.at(4, 'B', { kind: 'release' });
    for (const name of ['A', 'B']) group.at(4.6, name, heard(50));
    expect(group.kinds).toBe('initialize initialize');
  });
});

test('who starts later joins', () => {
  const group = new Group();
  group.at(0, 'A', { kind: 'start' });
  group.at(3.609375, 'A', { kind: 'deadline' });
  expect(group.kinds).toBe('master initialize');
  group.at(5, 'B', { kind: 'start' });
  expect(group.kinds).toBe('master master');
});

test('an unknown member is nobody', () => {
  expect(asMaster().at(4, 'Z', { kind: 'deadline' })).toEqual([]);
});
