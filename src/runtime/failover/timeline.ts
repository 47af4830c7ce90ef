// What has happened, for people: the last transitions of all virtual routers with their causes, and each takeover with
// its measured time beside its budget. Bounded; wall-clock times.

import { type Micros, micros } from '../../model/units.js';
import { type Budgeted, budgetFor, groupBudget } from '../../vrrp/budget.js';
import { type Cause, causeText } from '../../vrrp/cause.js';
import type { VrrpState } from '../../vrrp/state.js';

export type TransitionEntry = {
  /** Wall clock. */
  readonly at: Micros;
  readonly router: string;
  readonly from: VrrpState['kind'];
  readonly to: VrrpState['kind'];
  readonly cause: Cause['kind'];
  /** The cause in words. */
  readonly why: string;
};

export type TakeoverEntry = {
  /** Wall clock: when our addresses were there. */
  readonly at: Micros;
  readonly cause: Cause['kind'];
  readonly why: string;
  /** From the last sign of the master before (its last advert, or its priority 0) until our addresses were there. */
  readonly took: Micros;
  readonly budget: Micros;
  /** Within the budget, or over it by no more than `takeoverAllowance`. */
  readonly isWithin: boolean;
};

export const maxTransitions = 200;
export const maxTakeovers = 20;

/** The budget is of the protocol alone; timers, the table and the addresses come on top. */
export const takeoverAllowance = micros(50_000);

export class Timeline {
  private readonly list: TransitionEntry[] = [];

  /** The newest last. */
  get entries(): readonly TransitionEntry[] {
    return this.list;
  }

  add(entry: Omit<TransitionEntry, 'cause' | 'why'>, cause: Cause): void {
    this.list.push({ ...entry, cause: cause.kind, why: causeText(cause) });
    if (this.list.length > maxTransitions) this.list.shift();
  }
}

/** When the master before was last known to live; undefined: `cause` explains no takeover from somebody who was lost. */
export function lostAt(cause: Cause, now: Micros, releasedAt: Micros | undefined): Micros | undefined {
  if (cause.kind === 'silence') return cause.master === undefined ? undefined : micros(now - cause.silence);
  return cause.kind === 'released' ? releasedAt : undefined;
}

/** A takeover that ended now; undefined when it has no budget. */
export function takeoverEntry(
  cause: Cause,
  took: Micros,
  members: readonly Budgeted[],
  at: Micros,
): TakeoverEntry | undefined {
  const budget = budgetFor(cause, groupBudget(members));
  if (budget === undefined) return undefined;
  const isWithin = took <= budget + takeoverAllowance;
  return { at, cause: cause.kind, why: causeText(cause), took, budget, isWithin };
}

/** `in time` is within the budget alone. */
export function promptness(took: Micros, budget: Micros, isWithin: boolean): string {
  if (took <= budget) return 'in time';
  return isWithin ? 'a little after its budget' : 'too late';
}
