// The simulation must notice what it is there to notice: each planted fault wraps the product's functions from outside
// and has to be found within a few seeds, by the check that is meant for it.
import { describe, expect, test } from 'vitest';
import { micros } from '../../src/model/units.js';
import type { VrrpState } from '../../src/vrrp/state.js';
import type { GroupStep, MemberAction } from '../../src/vrrp/sync-group.js';
import { skewTime } from '../../src/vrrp/timers.js';
import type { Functions } from './director.js';
import { product, simulate } from './simulation.js';

type Planted = { readonly name: string; readonly functions: Functions; readonly finding: RegExp };

/** Changes what every step gives. */
function afterStep(
  change: (step: GroupStep, ...input: Parameters<Functions['stepGroup']>) => GroupStep,
): Functions {
  return { ...product, stepGroup: (...input) => change(product.stepGroup(...input), ...input) };
}

function withoutActions(isDropped: (entry: MemberAction) => boolean): Functions {
  return afterStep(({ states, actions }) => ({
    states,
    actions: actions.filter((entry) => !isDropped(entry)),
  }));
}

const planted: readonly Planted[] = [
  {
    name: 'the skew time is dropped',
    functions: afterStep(({ states, actions }, before, _router, _event, _now, policies) => {
      const changed = new Map<string, VrrpState>(states);
      for (const [name, state] of states) {
        const router = policies.get(name)?.router;
        const old = before.get(name);
        if (state.kind !== 'backup' || router === undefined) continue;
        if (old?.kind === 'backup' && old.masterDownAt === state.masterDownAt) continue;
        const skew = skewTime(router, state.priority, state.masterInterval);
        changed.set(name, { ...state, masterDownAt: micros(state.masterDownAt - skew) });
      }
      return { states: changed, actions };
    }),
    finding: /took over from a lost master|, before /,
  },
  {
    name: 'TTL 254 is accepted',
    functions: {
      ...product,
      receive: (message, arrival, policy) =>
        product.receive(message, arrival.ttl === 254 ? { ...arrival, ttl: 255 } : arrival, policy),
    },
    finding: /no master|while all is calm/,
  },
  {
    name: 'an address is not removed',
    functions: withoutActions(({ action }) => action.kind === 'remove-addresses'),
    finding: /with the addresses/,
  },
  {
    name: 'priority 0 is ignored',
    functions: {
      ...product,
      stepGroup: (states, router, event, now, policies) => {
        const isGoodbye = event.kind === 'advert' && event.advert.priority === 0;
        if (isGoodbye) return { states, actions: [] };
        return product.stepGroup(states, router, event, now, policies);
      },
    },
    finding: /no successor within/,
  },
  {
    name: 'forwarding is not ended',
    functions: withoutActions(({ action }) => action.kind === 'forward' && !action.isOn),
    finding: /forwards as/,
  },
  {
    name: 'a release breaks before it makes',
    functions: {
      ...product,
      stepGroup: (states, router, event, now, policies) => {
        const isPlanned = event.kind === 'release' || event.kind === 'switchover';
        return product.stepGroup(states, router, isPlanned ? { kind: 'stop' } : event, now, policies);
      },
    },
    finding: /nobody holds the addresses/,
  },
  {
    name: 'a healed split is not announced',
    functions: withoutActions(
      ({ action }) => action.kind === 'announce' && action.why !== 'master' && action.why !== 'delayed',
    ),
    finding: /hosts send to/,
  },
  {
    name: 'a higher priority is not obeyed',
    functions: {
      ...product,
      stepGroup: (states, router, event, now, policies) => {
        const isMaster = states.get(router)?.kind === 'master';
        if (event.kind === 'advert' && isMaster && event.advert.priority > 0) return { states, actions: [] };
        return product.stepGroup(states, router, event, now, policies);
      },
    },
    finding: /masters \d/,
  },
  {
    name: 'a sync group takes over when one member would',
    functions: {
      ...product,
      stepGroup: (states, router, event, now, policies) => {
        const ready = { since: now, isReported: true };
        const eager = [...states].map(([name, state]): [string, VrrpState] => [
          name,
          event.kind === 'deadline' && name !== router && state.kind === 'backup'
            ? { ...state, ready }
            : state,
        ]);
        return product.stepGroup(new Map(eager), router, event, now, policies);
      },
    },
    finding: /while all is calm/,
  },
  {
    name: 'a device that others track with a weight is no fault any more',
    functions: {
      ...product,
      memberTracks: (router, group) =>
        product
          .memberTracks(router, group)
          .filter(({ kind, weight }) => group.members.length === 1 || kind !== 'interface' || weight !== 0),
    },
    finding: /not in fault without a link/,
  },
  {
    name: 'two masters announce again and again',
    functions: afterStep(({ states, actions }) => ({
      states,
      actions: actions.flatMap((entry): MemberAction[] => {
        const state = states.get(entry.router);
        const isContested = state?.kind === 'master' && state.conflict !== undefined;
        if (entry.action.kind !== 'probe-addresses' || !isContested) return [entry];
        return [entry, { router: entry.router, action: { kind: 'announce', repeat: 5, why: 'conflict' } }];
      }),
    })),
    finding: /drawn to another master/,
  },
];

/** Seeds that a planted fault may take until it is found. */
const patience = 60;

describe('planted faults are found', () => {
  test.each(planted)('$name', ({ functions, finding }) => {
    const found: string[] = [];
    for (let seed = 1; seed <= patience && !found.some((text) => finding.test(text)); seed++) {
      found.push(...simulate(seed, functions).violations);
    }
    expect(found.filter((text) => finding.test(text))).not.toEqual([]);
  });

  test('and without one the same seeds are clean', () => {
    for (let seed = 1; seed <= 10; seed++) expect(simulate(seed).violations).toEqual([]);
  });

  test('the same seed is the same run', () => {
    const [first, second] = [simulate(7, product, true), simulate(7, product, true)];
    expect(first.log.length).toBeGreaterThan(100);
    expect(second).toEqual(first);
  });
});
