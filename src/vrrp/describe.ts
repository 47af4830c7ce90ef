// The state of a virtual router in words, for status: what it is, why, since when, and what it waits for.

import { durationText, type Micros, micros, seconds, secondsText } from '../model/units.js';
import type { VirtualRouter } from '../model/virtual-router.js';
import { causeText, conflictQuestion } from './cause.js';
import { type BackupState, effectivePriority, type MasterState, type VrrpState } from './state.js';

/** One sentence or two; the state's name first. */
export function describeState(state: VrrpState, now: Micros, router: VirtualRouter): string {
  const age = ageText(micros(now - state.since));
  const head = `${state.kind} since ${age}: ${causeText(state.cause)}`;
  const waits = waitText(state, now, router);
  return waits === undefined ? head : `${head}; ${waits}`;
}

function waitText(state: VrrpState, now: Micros, router: VirtualRouter): string | undefined {
  switch (state.kind) {
    case 'initialize':
      if (state.startAt !== undefined) return `starts in ${until(state.startAt, now)}`;
      return state.cause.kind === 'created' && state.faults.length > 0 ? state.faults.join(', ') : undefined;
    case 'backup':
      return backupText(state, now, router);
    case 'master':
      if (state.rival?.isReported === true)
        return `${state.rival.source} is master too: the addresses are held twice`;
      return `${conflictText(state, now)}adverts priority ${effectivePriority(state)}`;
    case 'releasing':
      return `forwards until a successor is heard, at most ${until(state.until, now)} more`;
    case 'fault':
      return undefined;
    default:
      return state satisfies never;
  }
}

function conflictText({ conflict }: MasterState, now: Micros): string {
  if (conflict === undefined) return '';
  const { address, mac, at } = conflict;
  return `${address} is also at ${mac} (seen ${ageText(micros(now - at))} ago): ${conflictQuestion(address)}; `;
}

function backupText(state: BackupState, now: Micros, router: VirtualRouter): string {
  const { master, challenged, releasedBy, preemption } = state;
  if (state.ready !== undefined) {
    return `would take over since ${ageText(micros(now - state.ready.since))}; its sync group waits for other members`;
  }
  const takesOver = `takes over in ${until(state.masterDownAt, now)}`;
  if (releasedBy !== undefined) return `${releasedBy} gave up; ${takesOver}`;
  if (challenged !== undefined) {
    return `${challenged.source} (priority ${challenged.priority}) is below us (${effectivePriority(state)}); ${takesOver}`;
  }
  if (master === undefined) return `no master heard yet; ${takesOver}`;
  const follows = `follows ${master.source} (priority ${master.priority})`;
  if (master.priority >= effectivePriority(state)) return `${follows}; after a silence, ${takesOver}`;
  if (preemption.kind === 'held')
    return `${follows}, below us, since a switchover; it stays until it is silent`;
  if (!router.preempt) return `${follows}, below us: nopreempt leaves it alone until it is silent`;
  if (preemption.kind === 'delayed') {
    return `${follows}, below us: preempt_delay leaves it alone for ${until(preemption.until, now)} more`;
  }
  return `${follows}; ${takesOver}`;
}

/** To the millisecond while that tells something: `6.586 s`, then `2 h 3 min`. */
function ageText(age: Micros): string {
  return age < seconds(60) ? secondsText(age) : durationText(age);
}

function until(at: Micros, now: Micros): string {
  return secondsText(micros(Math.max(0, at - now)));
}
