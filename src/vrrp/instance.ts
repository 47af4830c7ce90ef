// One virtual router: state, event and time in; state and actions out. Pure, so the simulation runs what the director
// runs. Read `state.ts` for the words, `backup.ts`, `master.ts` and `releasing.ts` for what each state does.

import { addMicros, type Micros, micros } from '../model/units.js';
import { onBackupAdvert, onBackupChanged, onBackupDeadline, onBackupRejected } from './backup.js';
import {
  onAddressAnswered,
  onAddressClaimed,
  onAnnouncementMissed,
  onGroupAnnounce,
  onMasterAdvert,
  onMasterChanged,
  onMasterDeadline,
  onMasterRejected,
  onStall,
} from './master.js';
import type { ReceivedAdvert } from './receive.js';
import { onReleasingAdvert, onReleasingDeadline } from './releasing.js';
import {
  effectivePriority,
  holdsAddresses,
  type InitializeState,
  type InstancePolicy,
  type Refusal,
  unchanged,
  type VrrpAction,
  type VrrpEvent,
  type VrrpState,
  type VrrpStep,
} from './state.js';
import { begin, isFaulty, toBackup, toFault, toInitialize, toMaster, toReleasing } from './transition.js';

/** What `event` does. One that doesn't fit the state (a deadline that is not due, a late answer) changes nothing. */
export function step(state: VrrpState, event: VrrpEvent, now: Micros, policy: InstancePolicy): VrrpStep {
  switch (event.kind) {
    case 'start':
      return onStart(state, event.isResumed === true, now, policy);
    case 'deadline':
      return onDeadline(state, now, policy, event.waitsFor);
    case 'advert':
      return onAdvert(state, event.advert, now, policy);
    case 'rejected':
      return onRejected(state, event, now, policy);
    case 'tracking':
      return onTracking(state, event.priority, event.faults, now, policy);
    case 'group':
      return onGroup(state, event.to, event.router, now, policy);
    case 'group-fault':
      return onFaultChange(state, { ...state, groupFault: event.router }, now, policy);
    case 'group-announce':
      return state.kind === 'master' ? onGroupAnnounce(state, now, policy) : unchanged(state);
    case 'release':
      return onRelease(state, now, policy, event.budget);
    case 'stop':
      return isStopped(state) ? unchanged(state) : toInitialize(state, now, { kind: 'stop' });
    case 'switchover':
      return onSwitchover(state, now, policy, event.budget);
    case 'allow-preemption':
      if (state.kind !== 'backup' || state.preemption.kind !== 'held') return unchanged(state);
      return unchanged({ ...state, preemption: { kind: 'free' } });
    case 'address-answered':
      if (state.kind !== 'master') return unchanged(state);
      return onAddressAnswered(state, event.address, event.mac, now, policy);
    case 'address-claimed':
      return state.kind === 'master' ? onAddressClaimed(state, now, policy) : unchanged(state);
    case 'announcement-missed':
      if (state.kind !== 'master') return unchanged(state);
      return onAnnouncementMissed(state, event.reason, now, policy);
    case 'changed':
      if (state.kind === 'backup') return onBackupChanged(state, now, policy);
      return state.kind === 'master' ? onMasterChanged(state, now, policy) : unchanged(state);
    case 'lease-expired':
      return onLeaseExpired(state, now, policy);
    default:
      return event satisfies never;
  }
}

function onStart(state: VrrpState, isResumed: boolean, now: Micros, policy: InstancePolicy): VrrpStep {
  if (!isStopped(state)) return unchanged(state);
  // Where a backup would listen first, a peer that is waiting for our advert would hear none.
  if (isResumed && !isFaulty(state)) {
    return toMaster({ ...state, hasYielded: false, since: now }, now, policy, { kind: 'resumed' });
  }
  const clean: VrrpAction = { kind: 'clean-addresses' };
  const { startupDelay } = policy.router;
  const fresh = { ...state, hasYielded: false, since: now, cause: { kind: 'started' as const } };
  if (startupDelay > 0) {
    return { state: { ...fresh, startAt: addMicros(now, startupDelay) }, actions: [clean] };
  }
  const { state: next, actions } = begin(fresh, now, policy, { kind: 'started' });
  return { state: next, actions: [clean, ...actions] };
}

function onDeadline(
  state: VrrpState,
  now: Micros,
  policy: InstancePolicy,
  waitsFor: string | undefined,
): VrrpStep {
  switch (state.kind) {
    case 'initialize':
      if (state.startAt === undefined || now < state.startAt) return unchanged(state);
      return begin(state, now, policy, { kind: 'started' });
    case 'backup':
      return onBackupDeadline(state, now, policy, waitsFor);
    case 'master':
      return onMasterDeadline(state, now, policy);
    case 'releasing':
      return onReleasingDeadline(state, now, policy);
    case 'fault':
      return unchanged(state);
    default:
      return state satisfies never;
  }
}

function onAdvert(state: VrrpState, advert: ReceivedAdvert, now: Micros, policy: InstancePolicy): VrrpStep {
  switch (state.kind) {
    case 'backup':
      return onBackupAdvert(state, advert, now, policy);
    case 'master':
      return onMasterAdvert(state, advert, now, policy);
    case 'releasing':
      return onReleasingAdvert(state, advert, now, policy);
    case 'initialize':
    case 'fault':
      return unchanged(state);
    default:
      return state satisfies never;
  }
}

function onRejected(state: VrrpState, refusal: Refusal, now: Micros, policy: InstancePolicy): VrrpStep {
  if (state.kind === 'backup') return onBackupRejected(state, refusal, policy);
  return state.kind === 'master' ? onMasterRejected(state, refusal, now, policy) : unchanged(state);
}

function onTracking(
  state: VrrpState,
  priority: number,
  faults: readonly string[],
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const before = effectivePriority(state);
  const { state: next, actions } = onFaultChange(state, { ...state, priority, faults }, now, policy);
  const after = effectivePriority(next);
  if (before === after) return { state: next, actions };
  return { state: next, actions: [...actions, { kind: 'notify', state: 'priority', priority: after }] };
}

/** `changed`: the state with the new faults, not yet moved. */
function onFaultChange(state: VrrpState, changed: VrrpState, now: Micros, policy: InstancePolicy): VrrpStep {
  if (state.kind === 'initialize') return unchanged(changed);
  if (state.kind !== 'fault') return isFaulty(changed) ? toFault(changed, now) : unchanged(changed);
  return isFaulty(changed) ? unchanged(changed) : begin(changed, now, policy, { kind: 'recovered' });
}

/** All members move together; whoever is in fault or not started stays. */
function onGroup(
  state: VrrpState,
  to: 'master' | 'backup',
  router: string,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const cause = { kind: 'group' as const, router };
  const isReturning = state.kind === 'releasing' && state.purpose === 'switchover';
  if (to === 'master' && (state.kind === 'backup' || isReturning)) {
    return toMaster(state, now, policy, cause);
  }
  if (to === 'backup' && state.kind === 'master') return toBackup(state, now, policy, cause);
  return unchanged(state);
}

function onRelease(state: VrrpState, now: Micros, policy: InstancePolicy, budget?: Micros): VrrpStep {
  if (state.kind === 'master') return toReleasing(state, now, policy, 'stop', budget);
  if (state.kind === 'releasing') return unchanged({ ...state, purpose: 'stop' });
  return isStopped(state) ? unchanged(state) : toInitialize(state, now, { kind: 'stop' });
}

function onSwitchover(state: VrrpState, now: Micros, policy: InstancePolicy, budget?: Micros): VrrpStep {
  if (state.kind === 'master') return toReleasing(state, now, policy, 'switchover', budget);
  if (state.kind === 'releasing') return unchanged(state);
  const text = `a switchover starts at the master; this virtual router is in state ${state.kind}`;
  return { state, actions: [{ kind: 'report', level: 'warning', code: 'switchover-refused', text }] };
}

function onLeaseExpired(state: VrrpState, now: Micros, policy: InstancePolicy): VrrpStep {
  if (!holdsAddresses(state)) return unchanged(state);
  // What was due meanwhile may have been done since: then nobody knows any more how long it was.
  const late = now > state.advertAt ? micros(now - state.advertAt) : undefined;
  if (state.kind === 'releasing' && state.purpose === 'stop') {
    return toInitialize(state, now, { kind: 'stalled', late });
  }
  return onStall(state, now, policy, late);
}

/** Never started, or stopped; a start begins anew. */
function isStopped(state: VrrpState): state is InitializeState {
  return state.kind === 'initialize' && state.startAt === undefined;
}
