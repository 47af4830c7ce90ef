// One reading of the running failover: what the dumps are written from.

import type { Link } from '../../dataplane/network.js';
import type { IpAddress } from '../../model/address.js';
import type { FailoverConfig, RouterConfig } from '../../model/failover-config.js';
import type { Micros } from '../../model/units.js';
import type { VrrpState } from '../../vrrp/state.js';
import type { AccountDatabase } from '../scripts/accounts.js';
import type { FileStatus, ScriptStatus } from '../tracking/trackers.js';
import type { RouterCounters } from './counters.js';
import type { GroupState } from './group.js';

export type RouterReading = {
  readonly config: RouterConfig;
  readonly group: string | undefined;
  readonly state: VrrpState;
  /** Wall clock. */
  readonly since: Micros;
  readonly source: IpAddress | undefined;
  readonly hasAddresses: boolean;
  readonly counters: RouterCounters;
};

export type FailoverReading = {
  readonly routerId: string | undefined;
  readonly config: FailoverConfig;
  readonly routers: readonly RouterReading[];
  readonly groups: readonly {
    readonly name: string;
    readonly state: GroupState | undefined;
    readonly members: readonly string[];
  }[];
  readonly scripts: readonly ScriptStatus[];
  readonly files: readonly FileStatus[];
  readonly accounts: AccountDatabase;
  readonly links: readonly Link[];
  /** The monotonic clock, and the wall clock of the same moment. */
  readonly now: Micros;
  readonly wall: Micros;
};
