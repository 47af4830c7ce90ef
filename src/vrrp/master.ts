// A master sends adverts, answers losers, gives way to winners, and says loudly when it is not alone.

import type { IpAddress } from '../model/address.js';
import { addMicros, type Micros, micros, seconds, secondsText } from '../model/units.js';
import { heard, otherChecksum } from './backup.js';
import { type Cause, conflictQuestion, stallText } from './cause.js';
import { compareAddresses } from './election.js';
import { misunderstandings, type ReceivedAdvert } from './receive.js';
import {
  type Announcement,
  type AnnounceReason,
  effectivePriority,
  type InstancePolicy,
  type MasterState,
  type Refusal,
  type Rival,
  refusalText,
  unchanged,
  type VrrpAction,
  type VrrpState,
  type VrrpStep,
} from './state.js';
import { leaseOf, masterDownInterval, skewTime } from './timers.js';
import { schedule, toBackup, withPeriodic } from './transition.js';

export function onMasterDeadline(state: MasterState, now: Micros, policy: InstancePolicy): VrrpStep {
  const late = micros(now - state.advertAt);
  if (late + policy.router.advertInterval > leaseOf(policy.router)) return onStall(state, now, policy, late);
  const actions: VrrpAction[] = [];
  let next = state;
  if (late >= 0) {
    const { advertInterval } = policy.router;
    const onTime = addMicros(state.advertAt, advertInterval);
    next = { ...next, advertAt: onTime > now ? onTime : addMicros(now, advertInterval) };
    actions.push({ kind: 'send-advert', priority: effectivePriority(state) });
  }
  for (const due of state.announcements.filter(({ at }) => at <= now)) {
    next = { ...next, announcements: next.announcements.filter((entry) => entry !== due) };
    if (due.why === 'contested') {
      const { state: asked, actions: asking } = onContested(next, now, policy);
      next = asked;
      actions.push(...asking);
    } else {
      actions.push(...announce(due.why, policy));
    }
  }
  const { rival } = state;
  if (rival !== undefined && rival.quietAt <= now) {
    next = { ...next, rival: undefined };
    if (rival.isReported) actions.push(...onRivalGone(rival, next.conflict !== undefined, now, policy));
  }
  return { state: withPeriods(next, now, policy), actions };
}

/** Whatever changes who else holds the addresses ends here, and where an announcement was taken from the list. */
function withPeriods(state: MasterState, now: Micros, policy: InstancePolicy): MasterState {
  const isContested = state.conflict !== undefined || state.rival !== undefined;
  return { ...state, announcements: withPeriodic(state.announcements, now, policy, isContested) };
}

export function onMasterAdvert(
  state: MasterState,
  advert: ReceivedAdvert,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const { router } = policy;
  const own = effectivePriority(state);
  if (advert.priority === 0) return onGoodbye(state, advert.source, now, policy);
  if (own === 255 && router.ownerIgnoresAdverts) return unchanged(state);
  const isHigherAddress = compareAddresses(advert.source, policy.source) > 0;
  if (own === 255 && advert.priority === 255) {
    const text = `${advert.source} is configured as owner (255) of the addresses too; only one may be`;
    const report: VrrpAction = { kind: 'report', level: 'error', code: 'second-owner', text };
    const cause: Cause = { kind: 'second-owner', by: advert.source };
    const { state: next, actions } = isHigherAddress
      ? giveWay({ ...state, hasYielded: true }, advert, now, policy, cause)
      : defend(state, advert, now, policy);
    return { state: next, actions: [report, ...actions] };
  }
  if (advert.priority > own) {
    const { source: by, priority } = advert;
    return giveWay(state, advert, now, policy, { kind: 'higher-priority', by, priority });
  }
  if (advert.priority === own && isHigherAddress) {
    return giveWay(state, advert, now, policy, { kind: 'higher-address', by: advert.source });
  }
  return defend(state, advert, now, policy);
}

/** An advert that the ladder refused: no reason to give way, but nobody who is no master sends any. */
export function onMasterRejected(
  state: MasterState,
  refusal: Refusal,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const { source, reason } = refusal;
  if (!misunderstandings.includes(reason)) return unchanged(state);
  const text = `${source} is master of VRID ${policy.router.virtualRouterId} too; its adverts are refused (${refusalText(refusal)}): compare the configurations`;
  const actions: VrrpAction[] = [];
  if (state.rival?.isReported !== true) {
    actions.push({ kind: 'report', level: 'error', code: 'second-master', text });
  }
  const since = state.rival?.since ?? now;
  const { announcedAt } = state.rival ?? {};
  const rival = {
    source,
    since,
    quietAt: quietAt(now, policy.router.advertInterval, policy),
    isReported: true,
    isUnderstood: false,
    announcedAt,
  };
  return { state: withPeriods({ ...state, rival }, now, policy), actions };
}

/**
 * Somebody else's MAC answers for one of our addresses. It may be a successor whose advert is on its way, and then must be
 * left alone: we announce after that advert would have been heard, once for as long as the conflict lasts. Two masters that
 * do not hear each other would otherwise win their clients from each other again and again. One that has just taken over
 * has announced the addresses already.
 */
export function onAddressAnswered(
  state: MasterState,
  address: IpAddress,
  mac: string,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const { conflict } = state;
  if (conflict !== undefined) return unchanged({ ...state, conflict: { ...conflict, at: now } });
  const text = `${address} is also at ${mac}: ${conflictQuestion(address)}`;
  const wait = successorDelay(policy);
  const isNewcomer = now - state.since <= wait;
  const isAsked = state.askedAt !== undefined && now - state.askedAt >= wait;
  const own: Announcement = { at: isAsked ? now : micros(now + wait), why: 'conflict' };
  const kept = state.announcements.filter(({ why }) => why !== 'delayed');
  const planned = isNewcomer ? kept : schedule(kept, own);
  const announcements = schedule(planned, { at: addMicros(now, defendInterval), why: 'contested' });
  const next: MasterState = { ...state, announcements, conflict: { address, mac, since: now, at: now } };
  return {
    state: withPeriods(next, now, policy),
    actions: [{ kind: 'report', level: 'error', code: 'address-conflict', text }],
  };
}

/** Answers may be lost: this many questions in a row without one end a conflict. */
const unansweredQuestions = 2;

/** Asks again, which nobody learns anything from, until nobody answers any more; then what the other said is corrected. */
function onContested(
  state: MasterState,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep & { state: MasterState } {
  const { conflict } = state;
  if (conflict === undefined) return { state, actions: [] };
  if (now - conflict.at <= (unansweredQuestions + 0.5) * defendInterval) {
    const again: Announcement = { at: addMicros(now, defendInterval), why: 'contested' };
    const announcements = schedule(state.announcements, again);
    return { state: { ...state, announcements }, actions: [{ kind: 'probe-addresses' }] };
  }
  const lasted = secondsText(micros(conflict.at - conflict.since));
  const text = `${conflict.mac} answers no more for ${conflict.address}, after ${lasted} with two holders; announcing the addresses again`;
  return {
    state: { ...state, conflict: undefined },
    actions: [
      { kind: 'report', level: 'warning', code: 'address-conflict-gone', text },
      ...announce('healed', policy),
    ],
  };
}

/** RFC 5227 2.4 (DEFEND_INTERVAL). */
const defendInterval = seconds(10);

/** By then the advert of a successor is heard; FRR announces addresses up to an interval before it. */
function successorDelay({ router }: InstancePolicy): Micros {
  return micros(Math.max(seconds(1), 2 * router.advertInterval));
}

/** A claim may be the last word of one that has left, or the first of a successor. If it is neither, asking will tell. */
export function onAddressClaimed(state: MasterState, now: Micros, policy: InstancePolicy): VrrpStep {
  const isKnown = state.conflict !== undefined;
  if (isKnown || (state.askedAt !== undefined && now - state.askedAt < defendInterval))
    return unchanged(state);
  const at = addMicros(now, successorDelay(policy));
  const announcements = schedule(state.announcements, { at, why: 'claimed' });
  return unchanged({ ...state, askedAt: now, announcements });
}

/** `garp_master_delay 0` must not make a device that takes no frames a loop. */
const leastMissedDelay = seconds(1);

/** Says it again after `delay`: at once would meet the trouble that swallowed it. */
export function onAnnouncementMissed(
  state: MasterState,
  reason: string,
  now: Micros,
  policy: InstancePolicy,
): VrrpStep {
  const text = `an announcement was missed (${reason}); it will be repeated`;
  const delay = micros(Math.max(policy.router.announce.delay, leastMissedDelay));
  const announcements = schedule(state.announcements, { at: addMicros(now, delay), why: 'missed' });
  return {
    state: { ...state, announcements },
    actions: [{ kind: 'report', level: 'warning', code: 'announcement-missed', text }],
  };
}

/** Other settings are in force: a period that is new counts from now on, and one that is gone ends; so does a longer interval. */
export function onMasterChanged(state: MasterState, now: Micros, policy: InstancePolicy): VrrpStep {
  const advertAt = micros(Math.min(state.advertAt, now + policy.router.advertInterval));
  return unchanged(withPeriods({ ...state, advertAt }, now, policy));
}

/** Another member of the sync group met a losing master. */
export function onGroupAnnounce(state: MasterState, now: Micros, policy: InstancePolicy): VrrpStep {
  return {
    state: { ...state, announcements: afterLoser(state.announcements, now, policy) },
    actions: announce('lower-priority', policy),
  };
}

/** Nobody spoke for us any more, so somebody else may be master: listen for one interval. */
export function onStall(state: VrrpState, now: Micros, policy: InstancePolicy, late?: Micros): VrrpStep {
  const { router } = policy;
  const skew = skewTime(router, effectivePriority(state), router.advertInterval);
  const masterDownAt = micros(now + router.advertInterval + skew);
  const text = `${stallText(late)}; mastership is given up`;
  const cause: Cause = { kind: 'stalled', late };
  const { state: next, actions } = toBackup(state, now, policy, cause, { masterDownAt });
  const goodbye: VrrpAction = { kind: 'send-advert', priority: 0 };
  return {
    state: next,
    actions: [{ kind: 'report', level: 'error', code: 'stalled', text }, goodbye, ...actions],
  };
}

/** RFC 9568 6.4.3 (700): priority 0 is answered, so that its sender and everybody else hear who is master. */
function onGoodbye(state: MasterState, source: IpAddress, now: Micros, policy: InstancePolicy): VrrpStep {
  const isRival = state.rival?.source === source;
  const rival = isRival && state.rival !== undefined ? { ...state.rival, quietAt: now } : state.rival;
  const advertAt = addMicros(now, policy.router.advertInterval);
  return {
    state: { ...state, advertAt, rival },
    actions: [{ kind: 'send-advert', priority: effectivePriority(state) }],
  };
}

function giveWay(
  state: MasterState,
  advert: ReceivedAdvert,
  now: Micros,
  policy: InstancePolicy,
  cause: Cause,
): VrrpStep {
  const { router } = policy;
  const masterInterval = router.version === 3 ? advert.interval : router.advertInterval;
  const wait = masterDownInterval(router, effectivePriority(state), masterInterval);
  const start = { masterInterval, masterDownAt: addMicros(now, wait), master: heard(advert, now) };
  const { state: next, actions } = toBackup(state, now, policy, cause, start);
  if (!router.answersHigherPriority) return { state: next, actions };
  return { state: next, actions: [{ kind: 'send-advert', priority: effectivePriority(state) }, ...actions] };
}

/** Broadcasts are not for a stranger to ask for with each packet. */
const leastAnnouncePause = seconds(1);

/** RFC 9568 6.4.3 (755): a losing advert is answered, so that its sender gives way and bridges learn anew. */
function defend(state: MasterState, advert: ReceivedAdvert, now: Micros, policy: InstancePolicy): VrrpStep {
  const { router } = policy;
  const own = effectivePriority(state);
  const actions: VrrpAction[] = [];
  if (router.answersLowerPriority) actions.push({ kind: 'send-advert', priority: own });
  const last = state.rival?.announcedAt;
  const isQuiet = last === undefined || now - last >= leastAnnouncePause;
  if (isQuiet) actions.push(...announce('lower-priority', policy));
  actions.push({ kind: 'notify', state: 'master-rx-lower-priority', priority: own });
  // Its last advert may have crossed our first; later it is one that does not hear us.
  const isSecond = now - state.since > router.advertInterval;
  if (isSecond && state.rival?.isReported !== true) {
    const text = `${advert.source} (priority ${advert.priority}) is master too, beside us (${own}): the addresses are held twice`;
    actions.push({ kind: 'report', level: 'error', code: 'second-master', text });
    if (advert.hasOtherChecksum) actions.push(otherChecksum(advert));
  }
  const rival: Rival = {
    source: advert.source,
    since: state.rival?.since ?? now,
    quietAt: quietAt(now, advert.interval, policy),
    isReported: isSecond,
    isUnderstood: true,
    announcedAt: isQuiet ? now : last,
  };
  const advertAt = router.answersLowerPriority ? addMicros(now, router.advertInterval) : state.advertAt;
  const announcements = isQuiet ? afterLoser(state.announcements, now, policy) : state.announcements;
  return { state: withPeriods({ ...state, advertAt, announcements, rival }, now, policy), actions };
}

/**
 * The split is healed: what the loser announced meanwhile is corrected once more. Not while somebody else still answers for
 * the addresses, when the quiet one was never understood: that would draw its clients, and the end of the conflict does it.
 */
function onRivalGone(rival: Rival, isContested: boolean, now: Micros, policy: InstancePolicy): VrrpAction[] {
  const lasted = secondsText(micros(now - rival.since));
  const isHealed = rival.isUnderstood || !isContested;
  const text = `${rival.source} is quiet again after ${lasted} with two masters${isHealed ? '; announcing the addresses again' : ''}`;
  return [
    { kind: 'report', level: 'warning', code: 'second-master-gone', text },
    ...(isHealed ? announce('healed', policy) : []),
  ];
}

function quietAt(now: Micros, interval: Micros, { router }: InstancePolicy): Micros {
  return micros(now + router.downTimerAdverts * Math.max(interval, router.advertInterval));
}

function announce(why: AnnounceReason, { router }: InstancePolicy): VrrpAction[] {
  const { repeat, refreshRepeat, lowerPriorityRepeat } = router.announce;
  const counts: Partial<Record<AnnounceReason, number>> = {
    refresh: refreshRepeat,
    extra: 1,
    claimed: 0,
    'lower-priority': lowerPriorityRepeat,
  };
  const count = counts[why] ?? repeat;
  const actions: VrrpAction[] = count > 0 ? [{ kind: 'announce', repeat: count, why }] : [];
  // Adverts may be lost both ways: then only the addresses tell that somebody else holds them.
  if (why === 'conflict' || why === 'refresh' || why === 'claimed') actions.push({ kind: 'probe-addresses' });
  return actions;
}

function afterLoser(
  list: readonly Announcement[],
  now: Micros,
  { router }: InstancePolicy,
): readonly Announcement[] {
  const { lowerPriorityDelay } = router.announce;
  if (lowerPriorityDelay === 0) return list;
  return schedule(list, { at: addMicros(now, lowerPriorityDelay), why: 'lower-priority' });
}
