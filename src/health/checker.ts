// One checker: what it thinks of its server, and when it probes next. Pure: events and the time come in, the next
// state and a list of actions go out. Deadlines live in the state, so leaving a state cancels its timer.
//
//              deadline          probe-started
//   waiting ───────────▶ queued ─────────────▶ probing ──┐ result, or deadline = timed out
//      ▲                                                 │
//      └──────────── delayLoop or delayBeforeRetry ──────┘

import type { CheckerPolicy } from '../model/director-config.js';
import { addMicros, type Micros, micros } from '../model/units.js';

type Common = {
  /** The verdict in force; a checker without alpha starts with `true`. */
  readonly isUp: boolean;
  /** Failures in a row that have not counted yet. */
  readonly failures: number;
  /** Number of the newest probe; results of older ones are ignored. */
  readonly probe: number;
};

export type CheckerState = Common &
  (
    | { readonly kind: 'waiting'; readonly probeAt: Micros }
    /** Wants a probe, and the machine is short of them: no deadline, for that is not the server's fault. */
    | { readonly kind: 'queued' }
    | { readonly kind: 'probing'; readonly timeoutAt: Micros }
  );

export type ProbeResult =
  | { readonly kind: 'passed' }
  /** `reason` in words: `connection refused`. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** This machine could not even try (out of file descriptors or memory): says nothing about the server. */
  | { readonly kind: 'unable'; readonly reason: string };

export type CheckerEvent =
  | { readonly kind: 'deadline' }
  | { readonly kind: 'probe-started'; readonly probe: number }
  | { readonly kind: 'result'; readonly probe: number; readonly result: ProbeResult }
  /** What made a server fail may be over: one that is down is probed at once. */
  | { readonly kind: 'hurry' }
  /** The checker ends: its configuration is gone. */
  | { readonly kind: 'stop' };

export type CheckerAction =
  | { readonly kind: 'start-probe'; readonly probe: number }
  | { readonly kind: 'cancel-probe'; readonly probe: number }
  | { readonly kind: 'server-up' }
  | { readonly kind: 'server-down'; readonly reason: string }
  | { readonly kind: 'log'; readonly text: string };

export type CheckerStep = { readonly state: CheckerState; readonly actions: readonly CheckerAction[] };

/**
 * A checker's first state. `random` in [0, 1) spreads the first probes over `warmup`. `wasUp`: the verdict of the
 * checker it replaces at a reload, which keeps a dead server dead until a probe passes.
 */
export function startChecker(
  policy: CheckerPolicy,
  now: Micros,
  random: number,
  wasUp?: boolean,
): CheckerState {
  const probeAt = addMicros(now, micros(policy.warmup * random));
  return { kind: 'waiting', isUp: wasUp ?? !policy.alpha, failures: 0, probe: 0, probeAt };
}

/** When the checker wants its next 'deadline' event; undefined: never by itself. */
export function checkerDeadline(state: CheckerState): Micros | undefined {
  switch (state.kind) {
    case 'waiting':
      return state.probeAt;
    case 'probing':
      return state.timeoutAt;
    case 'queued':
      return undefined;
    default:
      return state satisfies never;
  }
}

/** What `event` does. An event that doesn't fit the state (a late result, an early deadline) changes nothing. */
export function stepChecker(
  policy: CheckerPolicy,
  state: CheckerState,
  event: CheckerEvent,
  now: Micros,
): CheckerStep {
  switch (event.kind) {
    case 'deadline':
      return onDeadline(policy, state, now);
    case 'probe-started':
      return onProbeStarted(policy, state, event.probe, now);
    case 'result':
      return isAwaited(state, event.probe) ? onResult(policy, state, event.result, now) : unchanged(state);
    case 'hurry':
      return onHurry(state, now);
    case 'stop':
      return {
        state,
        actions: state.kind === 'waiting' ? [] : [{ kind: 'cancel-probe', probe: state.probe }],
      };
    default:
      return event satisfies never;
  }
}

function onDeadline(policy: CheckerPolicy, state: CheckerState, now: Micros): CheckerStep {
  const deadline = checkerDeadline(state);
  if (deadline === undefined || now < deadline) return unchanged(state);
  if (state.kind === 'probing') {
    const reason = `no answer within ${policy.timeout / 1_000_000} s`;
    const { state: next, actions } = onResult(policy, state, { kind: 'failed', reason }, now);
    return { state: next, actions: [{ kind: 'cancel-probe', probe: state.probe }, ...actions] };
  }
  const probe = state.probe + 1;
  const { isUp, failures } = state;
  return { state: { kind: 'queued', isUp, failures, probe }, actions: [{ kind: 'start-probe', probe }] };
}

/** A probe that is under way may have been sent into the trouble that is over: it begins anew. */
function onHurry(state: CheckerState, now: Micros): CheckerStep {
  if (state.isUp || state.kind === 'queued') return unchanged(state);
  const { isUp, failures, probe } = state;
  return {
    state: { kind: 'waiting', isUp, failures, probe, probeAt: now },
    actions: state.kind === 'probing' ? [{ kind: 'cancel-probe', probe }] : [],
  };
}

function onProbeStarted(policy: CheckerPolicy, state: CheckerState, probe: number, now: Micros): CheckerStep {
  if (state.kind !== 'queued' || state.probe !== probe) return unchanged(state);
  const { isUp, failures } = state;
  const timeoutAt = addMicros(now, policy.timeout);
  return { state: { kind: 'probing', isUp, failures, probe, timeoutAt }, actions: [] };
}

function onResult(policy: CheckerPolicy, state: CheckerState, result: ProbeResult, now: Micros): CheckerStep {
  const wait = (isUp: boolean, failures: number, delay: Micros): CheckerState => ({
    kind: 'waiting',
    isUp,
    failures,
    probe: state.probe,
    probeAt: addMicros(now, delay),
  });

  if (result.kind === 'passed') {
    const actions: CheckerAction[] = state.isUp ? [] : [{ kind: 'server-up' }];
    return { state: wait(true, 0, policy.delayLoop), actions };
  }

  if (result.kind === 'unable') {
    const log = failureLog(result.reason, 'nothing concluded');
    return { state: wait(state.isUp, state.failures, policy.delayBeforeRetry), actions: [log] };
  }

  // A server that is down needs no further proof: one probe a loop until one passes.
  if (!state.isUp) {
    const actions: CheckerAction[] = policy.logAllFailures ? [failureLog(result.reason, 'still down')] : [];
    return { state: wait(false, 0, policy.delayLoop), actions };
  }

  if (state.failures < policy.retries) {
    const failures = state.failures + 1;
    const actions: CheckerAction[] = policy.logAllFailures
      ? [failureLog(result.reason, `retry ${failures} of ${policy.retries}`)]
      : [];
    return { state: wait(true, failures, policy.delayBeforeRetry), actions };
  }

  const after =
    policy.retries === 0 ? '' : ` (after ${policy.retries} ${policy.retries === 1 ? 'retry' : 'retries'})`;
  return {
    state: wait(false, 0, policy.delayLoop),
    actions: [{ kind: 'server-down', reason: `${result.reason}${after}` }],
  };
}

function isAwaited(state: CheckerState, probe: number): boolean {
  return state.kind !== 'waiting' && state.probe === probe;
}

function failureLog(reason: string, rest: string): CheckerAction {
  return { kind: 'log', text: `${reason}, ${rest}` };
}

function unchanged(state: CheckerState): CheckerStep {
  return { state, actions: [] };
}
