// Make before break: we gave up by priority 0 and still forward, until the successor's advert is heard or the budget
// has passed. Then a stop ends, and a switchover either stands by or goes back.

import { addMicros, type Micros, micros, secondsText } from '../model/units.js';
import { heard } from './backup.js';
import type { Cause } from './cause.js';
import { onStall } from './master.js';
import type { ReceivedAdvert } from './receive.js';
import {
  effectivePriority,
  type InstancePolicy,
  type ReleasingState,
  unchanged,
  type VrrpAction,
  type VrrpStep,
} from './state.js';
import { leaseOf, masterDownInterval } from './timers.js';
import { toBackup, toInitialize, toMaster } from './transition.js';

export function onReleasingDeadline(state: ReleasingState, now: Micros, policy: InstancePolicy): VrrpStep {
  const { router } = policy;
  if (now >= state.until) return onBudgetPassed(state, now, policy);
  if (now < state.advertAt) return unchanged(state);
  // The first may have been lost. An interval is longer than any skew, so no backup is put off by the second.
  const next = { ...state, advertAt: addMicros(now, router.advertInterval) };
  return { state: next, actions: [{ kind: 'send-advert', priority: 0 }] };
}

export function onReleasingAdvert(
  state: ReleasingState,
  advert: ReceivedAdvert,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  if (advert.priority === 0) return unchanged(state);
  const cause: Cause = { kind: 'taken-over', by: advert.source };
  if (state.purpose === 'stop') return toInitialize(state, now, cause, true);
  const { router } = policy;
  const masterInterval = router.version === 3 ? advert.interval : router.advertInterval;
  const wait = masterDownInterval(router, effectivePriority(state), masterInterval);
  return toBackup(state, now, policy, cause, {
    masterInterval,
    masterDownAt: addMicros(now, wait),
    master: heard(advert, now),
    preemption: { kind: 'held' },
  });
}

function onBudgetPassed(state: ReleasingState, now: Micros, policy: InstancePolicy): VrrpStep {
  const cause: Cause = { kind: 'nobody-took-over' };
  const budget = secondsText(micros(now - state.since));
  if (state.purpose === 'stop') {
    const text = `no other director took over within ${budget}; the addresses are removed all the same`;
    const { state: next, actions } = toInitialize(state, now, cause);
    return { state: next, actions: [report('warning', 'nobody-took-over', text), ...actions] };
  }
  const late = micros(now - state.until);
  if (late + policy.router.advertInterval > leaseOf(policy.router)) return onStall(state, now, policy, late);
  const text = `no other director took over within ${budget}; going on as master`;
  const { state: next, actions } = toMaster(state, now, policy, cause);
  return { state: next, actions: [report('error', 'switchover-failed', text), ...actions] };
}

function report(
  level: 'warning' | 'error',
  code: 'nobody-took-over' | 'switchover-failed',
  text: string,
): VrrpAction {
  return { kind: 'report', level, code, text };
}
