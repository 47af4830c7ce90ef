// Puts together what failover shows of itself, in status and in dumps. Reads only.

import type { FailoverConfig } from '../../model/failover-config.js';
import { type Micros, micros } from '../../model/units.js';
import { budgetEntries, groupBudget } from '../../vrrp/budget.js';
import { describeState } from '../../vrrp/describe.js';
import { effectivePriority, type HeardMaster, type VrrpState } from '../../vrrp/state.js';
import type { ScriptOutlook } from '../scripts/script-outlook.js';
import type { ScriptStatus, Tracking } from '../tracking/trackers.js';
import type { Holdings } from './holdings.js';
import type { Instance } from './instance.js';
import type { FailoverReading } from './reading.js';
import type { Roster } from './roster.js';
import type { Timeline } from './timeline.js';
import type { FailoverView, ScriptView, SyncGroupView, VirtualRouterView } from './views.js';

export function failoverView(
  roster: Roster,
  config: FailoverConfig,
  timeline: Timeline,
  now: Micros,
  holdings: Holdings,
): Pick<FailoverView, 'virtualRouters' | 'syncGroups' | 'timeline'> {
  const groupOf = groupNames(config);
  return {
    virtualRouters: roster.all.map((instance) =>
      routerView(instance, groupOf.get(instance.name), roster.groupOf(instance).members, now, holdings),
    ),
    syncGroups: groupViews(roster),
    timeline: [...timeline.entries],
  };
}

/** What was seen when they were configured, and of those that run again and again what is seen now. */
export function scriptViews(
  outlooks: readonly ScriptOutlook[],
  tracked: readonly ScriptStatus[],
): ScriptView[] {
  const running = new Map(tracked.map((status) => [`script ${status.name}`, status]));
  return outlooks.map((outlook) => {
    const status = running.get(outlook.title);
    const { runsAs, defect } = status ?? outlook;
    return { ...outlook, runsAs, defect, isUp: status?.isUp, lastResult: status?.lastResult };
  });
}

/** The parts of a dump that don't come from the virtual routers. */
export type DumpFacts = Pick<FailoverReading, 'accounts' | 'links' | 'now' | 'wall'> & {
  readonly holdings: Holdings | undefined;
  readonly status: Tracking['status'];
};

export function readingOf(
  roster: Roster,
  config: FailoverConfig,
  routerId: string | undefined,
  { holdings, status, accounts, links, now, wall }: DumpFacts,
): FailoverReading {
  const groupOf = groupNames(config);
  return {
    routerId,
    config,
    routers: roster.all.map((instance) => ({
      config: instance.config,
      group: groupOf.get(instance.name),
      state: instance.state,
      since: instance.since,
      source: instance.sender.source,
      hasAddresses: hasAddresses(instance, holdings),
      counters: instance.counters,
    })),
    groups: groupViews(roster),
    scripts: status.scripts,
    files: status.files,
    accounts,
    links,
    now,
    wall,
  };
}

function groupNames({ groups }: FailoverConfig): ReadonlyMap<string, string> {
  return new Map(groups.flatMap(({ group }) => group.members.map((name) => [name, group.name])));
}

function groupViews({ groups }: Roster): SyncGroupView[] {
  return groups.flatMap(({ config, state, members }) =>
    config === undefined
      ? []
      : [{ name: config.group.name, state, members: members.map(({ name }) => name) }],
  );
}

function hasAddresses(instance: Instance, holdings: Holdings | undefined): boolean {
  return instance.holdsAddresses && holdings?.isComplete(instance.key) === true;
}

function routerView(
  instance: Instance,
  group: string | undefined,
  members: readonly Instance[],
  now: Micros,
  holdings: Holdings,
): VirtualRouterView {
  const { router, state, counters, record } = instance;
  const { name, device, family, version, virtualRouterId, priority, advertInterval } = router;
  const master = masterHeard(state);
  return {
    name,
    state: state.kind,
    since: instance.since,
    why: describeState(state, now, router),
    device,
    family,
    version,
    virtualRouterId,
    group,
    basePriority: priority,
    priority: effectivePriority(state),
    advertInterval,
    source: instance.sender.source,
    master:
      master === undefined
        ? undefined
        : { address: master.source, priority: master.priority, age: micros(now - master.at) },
    addresses: router.addresses.map(({ address }) => address),
    excludedAddresses: router.excludedAddresses.map(({ address }) => address),
    hasAddresses: hasAddresses(instance, holdings),
    faults: [...state.faults, ...(state.groupFault === undefined ? [] : [`${state.groupFault} is in fault`])],
    counters: { ...counters, rejected: { ...counters.rejected }, reports: { ...counters.reports } },
    budget: budgetEntries(groupBudget(members)),
    takeovers: [...record.takeovers],
  };
}

/** A backup's master, or a lower one that is about to be replaced. */
function masterHeard(state: VrrpState): HeardMaster | undefined {
  return state.kind === 'backup' ? (state.master ?? state.challenged) : undefined;
}
