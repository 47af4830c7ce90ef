// What a director shows of itself, as values: the answers of the library and the API, and the input of the CLI's
// listings. Times are integer microseconds; counters are bigint here and strings in JSON.

import type { CustodyStatus } from '../dataplane/custody.js';
import type { DataplaneStatus, DestinationStatus, Traffic } from '../dataplane/port.js';
import type { CheckerPolicy, LeftOutService } from '../model/director-config.js';
import type { Persistence, Scheduler, SchedulerFlag } from '../model/forwarding-table.js';
import type { DestinationId, ServiceId } from '../model/service-id.js';
import type { Micros } from '../model/units.js';
import type { FailoverView } from './failover/views.js';
import type { UnwrittenLines } from './log.js';
import type { Rates } from './rates.js';

export type { ConnectionPage, ConnectionRecord, Traffic } from '../dataplane/port.js';
export type { FailoverView, ScriptView, SyncGroupView, VirtualRouterView } from './failover/views.js';

export type CheckerView = {
  readonly kind: CheckerPolicy['kind'];
  readonly isUp: boolean;
  readonly state: 'waiting' | 'queued' | 'probing';
  /** Failures in a row that have not counted yet. */
  readonly failures: number;
  /** So many attempts in a row must fail for the server to be down. */
  readonly attempts: number;
  readonly lastFailure: string | undefined;
};

/** A server of the configuration, in the table or not. */
export type ServerView = DestinationId & {
  readonly weight: number;
  /** Takes part: its checks pass, or nobody checks it. */
  readonly isLive: boolean;
  readonly isChecked: boolean;
  readonly isInTable: boolean;
  readonly checkers: readonly CheckerView[];
};

/** A row of the table: what takes packets now. */
export type DestinationView = DestinationStatus & {
  readonly rates: Rates;
  /** The configuration no longer has it: it waits for its connections to end. */
  readonly isRemoved: boolean;
};

export type ServiceView = {
  readonly id: ServiceId;
  readonly scheduler: Scheduler;
  readonly flags: readonly SchedulerFlag[];
  readonly onePacket: boolean;
  readonly persistence?: Persistence | undefined;
  /** The quorum is reached. */
  readonly isUp: boolean;
  /** Removed from the configuration; it waits for its connections to end. */
  readonly isDraining: boolean;
  /** Another director holds its address: no packet is ours. */
  readonly isStandby: boolean;
  /** Keywords of the file that change who gets traffic and are not in effect yet: it is served without them. */
  readonly notAsWritten: readonly string[];
  readonly traffic: Traffic;
  readonly rates: Rates;
  /** In the scheduler's order of visit. */
  readonly destinations: readonly DestinationView[];
  /** In the order of the file. */
  readonly servers: readonly ServerView[];
};

/** `up` and `down` are of those in force; `standby` (their addresses are another director's) counts beside them. */
export type ServiceCounts = {
  readonly total: number;
  readonly up: number;
  readonly down: number;
  readonly draining: number;
  readonly standby: number;
};

export type DirectorStatus = FailoverView & {
  readonly version: string;
  readonly pid: number;
  /** Where the configuration comes from: a file's path, `text` or `value`. */
  readonly source: string;
  /** The generation of the forwarding table in force. */
  readonly generation: number;
  /** False while a change has not reached the data plane, or was refused by it. */
  readonly isCurrent: boolean;
  readonly uptime: Micros;
  /** Wall-clock time of the newest configuration in force. */
  readonly configuredAt: Micros;
  readonly timeouts: { readonly tcp_s: number; readonly tcpFin_s: number; readonly udp_s: number };
  /** How many there are; `services()` has them one by one. */
  readonly services: ServiceCounts;
  /** `live` are those whose checks pass; `unchecked` those that nobody checks. */
  readonly servers: { readonly total: number; readonly live: number; readonly unchecked: number };
  /** Services of the file that are not served, for what they need is not in effect yet. */
  readonly leftOut: readonly LeftOutService[];
  /** What was changed at run time and is in force over the file, a line each; at most a hundred. */
  readonly runTimeChanges: readonly string[];
  readonly checkerCount: number;
  /** Addresses of services that are on no device. */
  readonly missingAddresses: readonly string[];
  readonly custody: CustodyStatus;
  readonly dataplane: Omit<DataplaneStatus, 'custody'>;
  readonly loopLag: LagView;
  readonly log: UnwrittenLines;
  /** Of timers, events and jobs that nobody waits for: each was told and made up for. */
  readonly failedSteps: number;
};

/** How late the event loop ran since the director was ready. */
export type LagView = { readonly mean: Micros; readonly worst: Micros };
