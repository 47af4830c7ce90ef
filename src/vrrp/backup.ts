// A backup listens: adverts of a good enough master put off its deadline, others are discarded so that it runs out.

import { addMicros, type Micros, micros, secondsText } from '../model/units.js';
import { outranks } from './election.js';
import { misunderstandings, type ReceivedAdvert } from './receive.js';
import {
  type BackupState,
  effectivePriority,
  type HeardMaster,
  type InstancePolicy,
  type Preemption,
  type Refusal,
  refusalText,
  unchanged,
  type VrrpAction,
  type VrrpStep,
} from './state.js';
import { masterDownInterval, skewTime } from './timers.js';
import { toMaster } from './transition.js';

/** RFC 9568 6.4.2 (420): the master is silent, or let go, and it is our turn. */
export function onBackupDeadline(
  state: BackupState,
  now: Micros,
  policy: InstancePolicy,
  waitsFor?: string,
): VrrpStep {
  const late = micros(now - state.masterDownAt);
  if (late < 0) return unchanged(state);
  if (late > state.masterInterval / 2 && !state.isGraced) {
    // We stood still ourselves: the master's adverts may lie unread. Taking over now made false failovers.
    const text = `the deadline was missed by ${secondsText(late)}; waiting one interval for adverts that lie unread`;
    const next = { ...state, isGraced: true, masterDownAt: addMicros(now, state.masterInterval) };
    return { state: next, actions: [{ kind: 'report', level: 'warning', code: 'stalled', text }] };
  }
  if (waitsFor !== undefined) return waitForGroup(state, now, waitsFor);
  const { releasedBy, challenged, master } = state;
  if (releasedBy !== undefined) return toMaster(state, now, policy, { kind: 'released', by: releasedBy });
  if (challenged !== undefined && now - challenged.at <= state.masterInterval * 1.5) {
    const { source, priority } = challenged;
    return toMaster(state, now, policy, { kind: 'preempted', master: source, priority });
  }
  const silence = micros(now - (master?.at ?? state.since));
  return toMaster(state, now, policy, { kind: 'silence', silence, master: master?.source });
}

/**
 * As in keepalived, a sync group takes over when every member would: while one of them hears its master, all masters live
 * there, and taking them over would be answered by that one's next advert, for ever.
 */
function waitForGroup(state: BackupState, now: Micros, member: string): VrrpStep {
  const masterDownAt = addMicros(now, state.masterInterval);
  // All members' deadlines run out within a moment of each other when the whole master is lost.
  if (state.ready === undefined) {
    return unchanged({ ...state, masterDownAt, ready: { since: now, isReported: false } });
  }
  const { since, isReported } = state.ready;
  const next = { ...state, masterDownAt, ready: { since, isReported: true } };
  if (isReported) return unchanged(next);
  const text = `this virtual router would take over, and ${member} of its sync group hears a master: the group stays backup until all of its members would`;
  return { state: next, actions: [{ kind: 'report', level: 'warning', code: 'group-waits', text }] };
}

export function onBackupAdvert(
  state: BackupState,
  advert: ReceivedAdvert,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const { router } = policy;
  const own = effectivePriority(state);
  if (advert.priority === 0) {
    // Never later than it was: a master that repeats its priority 0 would put us off for good.
    const skewed = now + skewTime(router, own, state.masterInterval);
    const masterDownAt = micros(Math.min(state.masterDownAt, skewed));
    return unchanged({ ...state, masterDownAt, releasedBy: advert.source });
  }
  if (isLoser(state, advert, now)) return unchanged(state);
  if (advert.priority >= own) {
    const preemption: Preemption = state.preemption.kind === 'held' ? state.preemption : { kind: 'free' };
    return accept(state, advert, now, policy, preemption);
  }
  if (!router.preempt || state.preemption.kind === 'held') {
    return accept(state, advert, now, policy, state.preemption);
  }
  if (router.preemptDelay > 0) return delayPreemption(state, advert, now, policy);
  return discard(state, advert, now);
}

/**
 * Another master, while the one that we follow lives and outranks it. Following it too would take its interval (v3),
 * and with a shorter one than the winner's we would hear a silence that is none.
 */
function isLoser(
  { master, masterInterval, releasedBy }: BackupState,
  advert: ReceivedAdvert,
  now: Micros,
): boolean {
  if (master === undefined || master.source === advert.source || releasedBy !== undefined) return false;
  return now - master.at <= masterInterval * 1.5 && outranks(master, advert);
}

/** An advert that the ladder refused does not put off our deadline, so both may become master: said before that. */
export function onBackupRejected(state: BackupState, refusal: Refusal, policy: InstancePolicy): VrrpStep {
  const { source, reason } = refusal;
  if (!misunderstandings.includes(reason)) return unchanged(state);
  const { refused } = state;
  if (refused?.source === source && refused.reason === reason) return unchanged(state);
  const text = `${source} sends adverts for VRID ${policy.router.virtualRouterId} that are refused (${refusalText(refusal)}) and not followed: compare the configurations`;
  return {
    state: { ...state, refused: { source, reason } },
    actions: [{ kind: 'report', level: 'warning', code: 'not-understood', text }],
  };
}

/** Other settings are in force: the deadline is the one that they give, counted from the last sign of the master. */
export function onBackupChanged(state: BackupState, now: Micros, policy: InstancePolicy): VrrpStep {
  const { router } = policy;
  const isLearned = router.version === 3 && state.master !== undefined;
  const masterInterval = isLearned ? state.masterInterval : router.advertInterval;
  // What runs already for a reason of its own (a skew time, a grace, the sync group) goes on.
  const isUsual = state.releasedBy === undefined && !state.isGraced && state.ready === undefined;
  if (!isUsual || state.challenged !== undefined) return unchanged({ ...state, masterInterval });
  const wait = masterDownInterval(router, effectivePriority(state), masterInterval);
  const masterDownAt = micros(Math.max(now, (state.master?.at ?? state.since) + wait));
  return unchanged({ ...state, masterInterval, masterDownAt });
}

/** `preempt_delay` runs from the first advert of a master with lower priority. */
function delayPreemption(
  state: BackupState,
  advert: ReceivedAdvert,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  if (state.preemption.kind === 'delayed') {
    if (now >= state.preemption.until) return discard(state, advert, now);
    return accept(state, advert, now, policy, state.preemption);
  }
  const { preemptDelay } = policy.router;
  const until = addMicros(now, preemptDelay);
  const { state: next, actions } = accept(state, advert, now, policy, { kind: 'delayed', until });
  const text = `${advert.source} is master with priority ${advert.priority}; taking over from it is put off by ${secondsText(preemptDelay)}`;
  return {
    state: next,
    actions: [...actions, { kind: 'report', level: 'info', code: 'preemption-waits', text }],
  };
}

/** Follows the master: its interval counts in v3 (RFC 9568 6.4.2 (450)). */
function accept(
  state: BackupState,
  advert: ReceivedAdvert,
  now: Micros,
  policy: InstancePolicy,
  preemption: Preemption,
): VrrpStep {
  const { router } = policy;
  const masterInterval = router.version === 3 ? advert.interval : router.advertInterval;
  const wait = masterDownInterval(router, effectivePriority(state), masterInterval);
  const actions: VrrpAction[] = [];
  if (masterInterval !== state.masterInterval) {
    const text = `${advert.source} adverts every ${secondsText(masterInterval)}, and so does our waiting from now on`;
    actions.push({ kind: 'report', level: 'warning', code: 'interval-adopted', text });
  }
  if (advert.hasOtherChecksum && state.master?.source !== advert.source) actions.push(otherChecksum(advert));
  const next: BackupState = {
    ...state,
    masterDownAt: addMicros(now, wait),
    masterInterval,
    master: heard(advert, now),
    challenged: undefined,
    releasedBy: undefined,
    preemption,
    isGraced: false,
    ready: undefined,
  };
  return { state: next, actions };
}

/** Lets the deadline run out: so we take over from a master with lower priority. */
function discard(state: BackupState, advert: ReceivedAdvert, now: Micros): VrrpStep {
  const next = { ...state, challenged: heard(advert, now) };
  if (state.challenged?.source === advert.source) return unchanged(next);
  const wait = micros(Math.max(0, state.masterDownAt - now));
  const text = `${advert.source} is master with priority ${advert.priority}, below ours (${effectivePriority(state)}); taking over in ${secondsText(wait)}`;
  return {
    state: next,
    actions: [{ kind: 'report', level: 'info', code: 'lower-priority-discarded', text }],
  };
}

export function heard({ source, priority }: ReceivedAdvert, now: Micros): HeardMaster {
  return { source, priority, at: now };
}

export function otherChecksum({ source }: ReceivedAdvert): VrrpAction {
  const text = `${source} computes VRRPv3 checksums by the other convention and may drop our adverts; see v3_checksum_as_v2`;
  return { kind: 'report', level: 'warning', code: 'other-checksum', text };
}
