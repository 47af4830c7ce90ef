// Entering a state: which fields it starts with, and what is done, in order. Taking: the advert goes first, then
// forwarding and addresses, so that no packet meets an address that nobody schedules for. Giving up: the reverse.

import { addMicros, type Micros, micros } from '../model/units.js';
import type { Cause } from './cause.js';
import {
  type Announcement,
  type BackupState,
  effectivePriority,
  holdsAddresses,
  type InstancePolicy,
  type MasterState,
  type VrrpAction,
  type VrrpState,
  type VrrpStep,
} from './state.js';
import { masterDownInterval } from './timers.js';

/** After the startup delay or a fault: an owner takes its addresses, everybody else listens first (RFC 9568 6.4.1). */
export function begin(state: VrrpState, now: Micros, policy: InstancePolicy, cause: Cause): VrrpStep {
  if (isFaulty(state)) return toFault(state, now);
  const isOwner = effectivePriority(state) === 255 && policy.router.startState === 'master';
  return isOwner ? toMaster(state, now, policy, { kind: 'owner' }) : toBackup(state, now, policy, cause);
}

export function isFaulty({ faults, groupFault }: VrrpState): boolean {
  return faults.length > 0 || groupFault !== undefined;
}

export function toMaster(state: VrrpState, now: Micros, policy: InstancePolicy, cause: Cause): VrrpStep {
  const { announce, advertInterval } = policy.router;
  const next: MasterState = {
    ...commonOf(state, now, cause),
    kind: 'master',
    advertAt: addMicros(now, advertInterval),
    announcements: firstAnnouncements(now, policy),
    rival: undefined,
    askedAt: undefined,
    conflict: undefined,
  };
  const priority = effectivePriority(next);
  const actions: VrrpAction[] = [transition(state, next), { kind: 'send-advert', priority }];
  // Only a master that fell silent may still hold the addresses by mistake; any other is about to hear our advert.
  if (cause.kind === 'silence') actions.push({ kind: 'probe-addresses' });
  if (!holdsAddresses(state)) actions.push({ kind: 'forward', isOn: true }, { kind: 'add-addresses' });
  actions.push({ kind: 'announce', repeat: announce.repeat, why: 'master' });
  // Whoever released and is master again was never told that it is not.
  if (!holdsAddresses(state)) actions.push({ kind: 'notify', state: 'master', priority });
  return { state: next, actions };
}

export type BackupStart = Partial<
  Pick<BackupState, 'masterDownAt' | 'masterInterval' | 'master' | 'preemption'>
>;

export function toBackup(
  state: VrrpState,
  now: Micros,
  policy: InstancePolicy,
  cause: Cause,
  start: BackupStart = {},
): VrrpStep {
  const { router } = policy;
  const masterInterval = start.masterInterval ?? router.advertInterval;
  const wait = masterDownInterval(router, effectivePriority(state), masterInterval);
  const next: BackupState = {
    ...commonOf(state, now, cause),
    kind: 'backup',
    masterDownAt: start.masterDownAt ?? addMicros(now, wait),
    masterInterval,
    master: start.master,
    challenged: undefined,
    releasedBy: undefined,
    preemption: start.preemption ?? { kind: 'free' },
    refused: undefined,
    isGraced: false,
    ready: undefined,
  };
  const notify: VrrpAction = { kind: 'notify', state: 'backup', priority: effectivePriority(next) };
  return { state: next, actions: [transition(state, next), ...giveUp(state), notify] };
}

/** A master tells everybody at once that it leaves. */
export function toFault(state: VrrpState, now: Micros): VrrpStep {
  const group = state.groupFault === undefined ? [] : [`${state.groupFault} of the sync group is in fault`];
  const cause: Cause = { kind: 'fault', reasons: [...state.faults, ...group] };
  const next: VrrpState = { ...commonOf(state, now, cause), kind: 'fault' };
  const notify: VrrpAction = { kind: 'notify', state: 'fault', priority: effectivePriority(next) };
  return { state: next, actions: [transition(state, next), ...sayGoodbye(state), ...giveUp(state), notify] };
}

/** The end; `isHeard`: a successor took over, so priority 0 need not be said. */
export function toInitialize(state: VrrpState, now: Micros, cause: Cause, isHeard = false): VrrpStep {
  const next: VrrpState = { ...commonOf(state, now, cause), kind: 'initialize', startAt: undefined };
  const notify: VrrpAction = { kind: 'notify', state: 'stop', priority: effectivePriority(next) };
  const goodbye = isHeard ? [] : sayGoodbye(state);
  return { state: next, actions: [transition(state, next), ...goodbye, ...giveUp(state), notify] };
}

/** Make before break: priority 0 goes out, and nothing else changes until a successor is heard. */
export function toReleasing(
  state: MasterState,
  now: Micros,
  policy: InstancePolicy,
  purpose: 'stop' | 'switchover',
  budget = policy.router.releaseBudget,
): VrrpStep {
  const next: VrrpState = {
    ...commonOf(state, now, { kind: purpose }),
    kind: 'releasing',
    purpose,
    advertAt: addMicros(now, policy.router.advertInterval),
    until: addMicros(now, budget),
  };
  return { state: next, actions: [transition(state, next), { kind: 'send-advert', priority: 0 }] };
}

/** Adds an announcement in its place; one that waits for the same reason stays as it is. */
export function schedule(list: readonly Announcement[], added: Announcement): readonly Announcement[] {
  if (list.some(({ why }) => why === added.why)) return list;
  return [...list, added].sort((a, b) => a.at - b.at);
}

/**
 * Has those that come again and again in the list, each one period ahead at most, and not where the period is 0. `isContested`:
 * two masters that both say again and again that they hold the addresses break their clients' connections with each word.
 */
export function withPeriodic(
  list: readonly Announcement[],
  now: Micros,
  { router }: InstancePolicy,
  isContested: boolean,
): readonly Announcement[] {
  const { announce } = router;
  const isPaused = isContested && !announce.isRefreshWritten;
  return (['refresh', 'extra'] as const).reduce((planned, why) => {
    const period = why === 'refresh' && isPaused ? 0 : announce[why];
    const known = planned.find((entry) => entry.why === why);
    const rest = planned.filter((entry) => entry !== known);
    if (period === 0) return rest;
    return schedule(rest, { at: micros(Math.min(known?.at ?? Infinity, now + period)), why });
  }, list);
}

function firstAnnouncements(now: Micros, policy: InstancePolicy): readonly Announcement[] {
  const { delay } = policy.router.announce;
  return withPeriodic(delay > 0 ? [{ at: addMicros(now, delay), why: 'delayed' }] : [], now, policy, false);
}

function commonOf(state: VrrpState, now: Micros, cause: Cause) {
  const { priority, faults, groupFault, hasYielded } = state;
  return { priority, faults, groupFault, hasYielded, since: now, cause };
}

function transition(from: VrrpState, to: VrrpState): VrrpAction {
  return { kind: 'transition', from: from.kind, to: to.kind, cause: to.cause };
}

function sayGoodbye(state: VrrpState): readonly VrrpAction[] {
  return holdsAddresses(state) ? [{ kind: 'send-advert', priority: 0 }] : [];
}

function giveUp(state: VrrpState): readonly VrrpAction[] {
  return holdsAddresses(state) ? [{ kind: 'remove-addresses' }, { kind: 'forward', isOn: false }] : [];
}
