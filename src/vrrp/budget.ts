// The failover budget: how long the addresses may be without a master, by what happens to it, computed from the
// configuration alone. Status shows it, and each real takeover is held against it.

import { type Micros, micros } from '../model/units.js';
import type { VirtualRouter } from '../model/virtual-router.js';
import type { Cause } from './cause.js';
import { leaseOf, masterDownInterval, skewTime } from './timers.js';

export type FailoverBudget = {
  /** Stop or switchover: the master forwards until its successor is heard. */
  readonly planned: { readonly outage: Micros; readonly takeover: Micros };
  /** Its process died and the guardian said priority 0. */
  readonly killed: Micros;
  /** Power or link lost: from the last advert. It is between the two, by when in its interval the master died. */
  readonly silent: { readonly shortest: Micros; readonly longest: Micros };
  /** Its control plane hangs: the repeater speaks until the lease ends. */
  readonly hung: Micros;
};

/** A router and its effective priority here. */
export type Budgeted = { readonly router: VirtualRouter; readonly priority: number };

/** Of a sync group, or of one virtual router alone: together they are as fast as the slowest of them. */
export function groupBudget(members: readonly Budgeted[]): FailoverBudget {
  const budgets = members.map(({ router, priority }) => failoverBudget(router, priority));
  const slowest = (pick: (budget: FailoverBudget) => Micros) => micros(Math.max(...budgets.map(pick)));
  return {
    planned: { outage: micros(0), takeover: slowest(({ planned }) => planned.takeover) },
    killed: slowest(({ killed }) => killed),
    silent: {
      shortest: slowest(({ silent }) => silent.shortest),
      longest: slowest(({ silent }) => silent.longest),
    },
    hung: slowest(({ hung }) => hung),
  };
}

/** For a takeover by a backup with `priority` (the router's own: how fast this director takes over). */
export function failoverBudget(router: VirtualRouter, priority = router.priority): FailoverBudget {
  const interval = router.advertInterval;
  const skew = skewTime(router, priority, interval);
  const longest = masterDownInterval(router, priority, interval);
  return {
    planned: { outage: micros(0), takeover: skew },
    killed: skew,
    silent: { shortest: micros(longest - interval), longest },
    hung: micros(leaseOf(router) + longest),
  };
}

export type BudgetEntry = { readonly what: string; readonly shortest: Micros; readonly longest: Micros };

/** The lines that status shows. */
export function budgetEntries(budget: FailoverBudget): readonly BudgetEntry[] {
  const { planned, killed, silent, hung } = budget;
  return [
    { what: 'planned stop or switchover', shortest: planned.outage, longest: planned.outage },
    { what: 'director process killed', shortest: micros(0), longest: killed },
    { what: 'master or its link lost', shortest: silent.shortest, longest: silent.longest },
    { what: 'director process hung', shortest: silent.shortest, longest: hung },
  ];
}

/** How long the takeover that `cause` explains may have taken; undefined: it replaced a living master. */
export function budgetFor(cause: Cause, budget: FailoverBudget): Micros | undefined {
  switch (cause.kind) {
    case 'silence':
      return budget.silent.longest;
    case 'released':
      return budget.killed;
    default:
      return undefined;
  }
}
