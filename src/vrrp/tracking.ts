// What a virtual router depends on (devices, scripts, files), and what that makes of its priority. Weight 0: a failure
// is a fault, or its success with `reverse`. Otherwise a positive weight is added while the thing is good, a negative one
// while it is bad, and `reverse` turns the sign of what is added, as in keepalived. 255 is fixed.

import { addMicros, type Micros } from '../model/units.js';
import type { SyncGroup, Track, TrackScript, VirtualRouter } from '../model/virtual-router.js';

/** What is known of the tracked things, by name. */
export type Observations = {
  readonly devices: ReadonlyMap<string, boolean>;
  /** undefined: no result yet. */
  readonly scripts: ReadonlyMap<string, boolean | undefined>;
  /** Scripts that can not be run, and why, as it follows their name: `has nobody to run as`. Bad, reversed or not. */
  readonly scriptDefects?: ReadonlyMap<string, string> | undefined;
  /** The number in the file; a file without one counts as 0. */
  readonly files: ReadonlyMap<string, number>;
};

export type Verdict = { readonly priority: number; readonly faults: readonly string[] };

/** keepalived's bound: a file that weighs this much down is a fault. */
const faultWeight = -254;

/** Priority and faults of a virtual router with `base` priority that depends on `tracks`. */
export function judge(base: number, tracks: readonly Track[], seen: Observations): Verdict {
  const faults: string[] = [];
  let sum = base;
  for (const track of tracks) {
    const { points, fault } = track.kind === 'file' ? weighFile(track, seen) : weighThing(track, seen);
    sum += points;
    if (fault !== undefined) faults.push(fault);
  }
  return { priority: base === 255 ? 255 : Math.min(254, Math.max(1, sum)), faults };
}

/**
 * What a member of `group` tracks: its own things and the group's, as in keepalived 2.2.7. A weight moves the group only
 * where all members have it, so a member's own count by `sync_group_tracking_weight` alone. One thing may be tracked twice:
 * as a fault by the member, with a weight by the group.
 */
export function memberTracks(router: VirtualRouter, group: SyncGroup): readonly Track[] {
  const own = router.tracks.filter(({ weight }) => weight === 0 || group.hasMemberWeights);
  return [...own, ...group.tracks];
}

type Weighed = { readonly points: number; readonly fault: string | undefined };

function weighThing(track: Track, seen: Observations): Weighed {
  const { weight, isReversed, name } = track;
  const defect = track.kind === 'script' ? seen.scriptDefects?.get(name) : undefined;
  if (defect !== undefined) {
    return weight === 0
      ? { points: 0, fault: `script ${name} ${defect}` }
      : { points: Math.min(weight, 0), fault: undefined };
  }
  const isFirstResultMissing = track.kind === 'script' && seen.scripts.get(name) === undefined;
  if (isFirstResultMissing) {
    const fault = weight === 0 ? `script ${name} has not run yet` : undefined;
    return { points: 0, fault };
  }
  const isUp = track.kind === 'script' ? seen.scripts.get(name) === true : seen.devices.get(name) === true;
  const isGood = isUp !== isReversed;
  if (weight === 0) return { points: 0, fault: isGood ? undefined : failureText(track) };
  const counts = weight > 0 ? isUp : !isUp;
  return { points: counts ? (isReversed ? -weight : weight) : 0, fault: undefined };
}

function weighFile({ weight, isReversed, name }: Track, seen: Observations): Weighed {
  const value = seen.files.get(name) ?? 0;
  if (weight === 0) {
    const isGood = (value === 0) !== isReversed;
    return { points: 0, fault: isGood ? undefined : `file ${name} says ${value}` };
  }
  const points = value * weight * (isReversed ? -1 : 1);
  const fault = points <= faultWeight ? `file ${name} weighs ${points}` : undefined;
  return { points: fault === undefined ? points : 0, fault };
}

function failureText({ kind, name, isReversed }: Track): string {
  const state = kind === 'script' ? ['failed', 'succeeded'] : ['is down', 'is up'];
  return `${kind === 'script' ? 'script' : 'interface'} ${name} ${state[isReversed ? 1 : 0]}`;
}

/** One `vrrp_script`: waiting for its time or running. `isUp` undefined: no result counted yet. */
export type ScriptState = {
  readonly isUp: boolean | undefined;
  /** Results in a row against `isUp`. */
  readonly against: number;
  /** Number of the newest run; results of older ones are ignored. */
  readonly run: number;
  readonly phase:
    | { readonly kind: 'waiting'; readonly runAt: Micros }
    | { readonly kind: 'running'; readonly startedAt: Micros; readonly timeoutAt: Micros };
};

export type ScriptEvent =
  | { readonly kind: 'deadline' }
  | { readonly kind: 'exited'; readonly run: number; readonly status: number }
  /** This machine could not run it or lost sight of it: that says nothing of what it tests. */
  | { readonly kind: 'inconclusive'; readonly run: number };

export type ScriptAction =
  | { readonly kind: 'run-script'; readonly run: number }
  | { readonly kind: 'kill-script'; readonly run: number }
  /** The verdict in force changed. */
  | { readonly kind: 'script-result'; readonly isUp: boolean; readonly why: string };

export type ScriptStep = { readonly state: ScriptState; readonly actions: readonly ScriptAction[] };

/** Runs at once; `init_fail` decides what it counts as until then. */
export function startScript({ failsAtStart }: TrackScript, now: Micros): ScriptState {
  const isUp = failsAtStart ? false : undefined;
  return { isUp, against: 0, run: 0, phase: { kind: 'waiting', runAt: now } };
}

export function scriptDeadline({ phase }: ScriptState): Micros {
  return phase.kind === 'waiting' ? phase.runAt : phase.timeoutAt;
}

export function stepScript(
  script: TrackScript,
  state: ScriptState,
  event: ScriptEvent,
  now: Micros,
): ScriptStep {
  const { phase, run } = state;
  if (event.kind !== 'deadline') {
    if (phase.kind !== 'running' || event.run !== run) return { state, actions: [] };
    if (event.kind === 'inconclusive') {
      return { state: { ...state, phase: nextWait(script, phase.startedAt, now) }, actions: [] };
    }
    return onResult(script, state, phase.startedAt, event.status === 0, `exit status ${event.status}`, now);
  }
  if (now < scriptDeadline(state)) return { state, actions: [] };
  if (phase.kind === 'waiting') {
    const running = { kind: 'running' as const, startedAt: now, timeoutAt: addMicros(now, script.timeout) };
    const next = { ...state, run: run + 1, phase: running };
    return { state: next, actions: [{ kind: 'run-script', run: run + 1 }] };
  }
  const { state: next, actions } = onResult(script, state, phase.startedAt, false, 'timeout', now);
  return { state: next, actions: [{ kind: 'kill-script', run }, ...actions] };
}

/** The first result decides by itself, as in keepalived 2.2; later ones need `rise` or `fall` in a row. */
function onResult(
  script: TrackScript,
  state: ScriptState,
  startedAt: Micros,
  isGood: boolean,
  why: string,
  now: Micros,
): ScriptStep {
  const phase = nextWait(script, startedAt, now);
  if (isGood === state.isUp) return { state: { ...state, against: 0, phase }, actions: [] };
  const isFirst = state.run === 1 || state.isUp === undefined;
  const against = state.against + 1;
  if (!isFirst && against < (isGood ? script.rise : script.fall)) {
    return { state: { ...state, against, phase }, actions: [] };
  }
  return {
    state: { ...state, isUp: isGood, against: 0, phase },
    actions: [{ kind: 'script-result', isUp: isGood, why }],
  };
}

function nextWait({ interval }: TrackScript, startedAt: Micros, now: Micros): ScriptState['phase'] {
  const due = addMicros(startedAt, interval);
  return { kind: 'waiting', runAt: due > now ? due : now };
}
