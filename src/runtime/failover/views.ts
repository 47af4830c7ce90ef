// What failover shows of itself, as values. Times are integer microseconds; wall-clock times say so.

import type { Family, IpAddress } from '../../model/address.js';
import type { Micros } from '../../model/units.js';
import type { VrrpVersion } from '../../model/virtual-router.js';
import type { BudgetEntry } from '../../vrrp/budget.js';
import type { VrrpState } from '../../vrrp/state.js';
import type { ScriptOutlook } from '../scripts/script-outlook.js';
import type { RouterCounters } from './counters.js';
import type { GroupState } from './group.js';
import { noStrays, type StraysView } from './strays.js';
import type { TakeoverEntry, TransitionEntry } from './timeline.js';

export type VirtualRouterView = {
  readonly name: string;
  readonly state: VrrpState['kind'];
  /** Wall clock. */
  readonly since: Micros;
  /** The state in a sentence: why, since when, what it waits for. */
  readonly why: string;
  readonly device: string;
  readonly family: Family;
  readonly version: VrrpVersion;
  readonly virtualRouterId: number;
  readonly group: string | undefined;
  /** As configured. */
  readonly basePriority: number;
  /** What tracking makes of it: it stands in adverts and decides elections. */
  readonly priority: number;
  readonly advertInterval: Micros;
  /** Where our adverts come from; undefined: there is no such address now. */
  readonly source: IpAddress | undefined;
  /** The last master that was heard, unless it is this director. */
  readonly master:
    | { readonly address: IpAddress; readonly priority: number; readonly age: Micros }
    | undefined;
  /** Those that stand in adverts. */
  readonly addresses: readonly IpAddress[];
  readonly excludedAddresses: readonly IpAddress[];
  /** Our addresses are on this machine. */
  readonly hasAddresses: boolean;
  /** Why it may not take part; empty when it may. */
  readonly faults: readonly string[];
  readonly counters: RouterCounters;
  /** How long a failover may take, by what happens to the master. */
  readonly budget: readonly BudgetEntry[];
  /** What takeovers by this director have really taken; the newest last. */
  readonly takeovers: readonly TakeoverEntry[];
};

export type SyncGroupView = {
  readonly name: string;
  /** undefined: its members are on their way from one state to another. */
  readonly state: GroupState | undefined;
  readonly members: readonly string[];
};

/** A program that the configuration has us run. */
export type ScriptView = ScriptOutlook & {
  /** Of a `vrrp_script`: its verdict; undefined: none yet. */
  readonly isUp: boolean | undefined;
  /** `exit status 1`, `timeout`; undefined before the first. */
  readonly lastResult: string | undefined;
};

export type FailoverView = {
  /** In the order of the configuration; those that a reload has removed and that still give up stand behind. */
  readonly virtualRouters: readonly VirtualRouterView[];
  readonly syncGroups: readonly SyncGroupView[];
  /** The last transitions of all virtual routers; the newest last. */
  readonly timeline: readonly TransitionEntry[];
  /** Adverts that are no virtual router's of ours. */
  readonly strays: StraysView;
  readonly scripts: readonly ScriptView[];
  /** Lines for notify FIFOs that nobody will read. */
  readonly lostLineCount: number;
  /** Steps of a configuration in force that have failed, and were told and tried again. */
  readonly unsettledCount: number;
};

export const noFailoverView: FailoverView = {
  virtualRouters: [],
  syncGroups: [],
  timeline: [],
  strays: noStrays,
  scripts: [],
  lostLineCount: 0,
  unsettledCount: 0,
};
