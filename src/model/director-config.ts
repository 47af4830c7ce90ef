// What the operator asked for, as values: the meaning of a keepalived.conf after defaults and inheritance.
// Positions live only where a later warning needs them. Never handed to the data plane as it is.

import type { IpAddress, Prefix } from './address.js';
import type { ClientRules } from './client-rules.js';
import type { FailoverConfig } from './failover-config.js';
import {
  defaultPolicy,
  type ForwardingMethod,
  type NodestRule,
  type Persistence,
  type Scheduler,
  type SchedulerFlag,
} from './forwarding-table.js';
import type { Origin } from './origin.js';
import type { ServiceId } from './service-id.js';
import type { Micros } from './units.js';

export type DirectorConfig = {
  readonly global: GlobalConfig;
  /** `static_ipaddress`: the director adds these at start and removes them at stop. */
  readonly staticAddresses: readonly StaticAddress[];
  /** In the order of the file. */
  readonly virtualServers: readonly VirtualServer[];
  /** Services of the file that are not served at all, for what they need is not in effect yet (`--lenient`). */
  readonly leftOut: readonly LeftOutService[];
  readonly failover: FailoverConfig;
  readonly director: DirectorSettings;
  /** `allow` and `deny` of `director { }`. */
  readonly clients: ClientRules;
};

export type GlobalConfig = {
  readonly routerId: string | undefined;
  readonly tcpTimeout_s: number | undefined;
  readonly tcpFinTimeout_s: number | undefined;
  readonly udpTimeout_s: number | undefined;
};

export type StaticAddress = Prefix & {
  readonly device: string;
  readonly label: string | undefined;
  readonly scope: 'global' | 'link' | 'host' | 'site';
  readonly broadcast: IpAddress | undefined;
  readonly origin: Origin;
};

export type VirtualServer = {
  readonly id: ServiceId;
  readonly scheduler: Scheduler;
  readonly flags: readonly SchedulerFlag[];
  readonly onePacket: boolean;
  readonly persistence: Persistence | undefined;
  /** Σ weights of live servers at which the service is up; see keepalived's quorum. */
  readonly quorum: number;
  readonly hysteresis: number;
  /** Servers start out of the pool until their first good probe. */
  readonly alpha: boolean;
  readonly sorryServer: SorryServer | undefined;
  /** In the order of the file. */
  readonly realServers: readonly RealServer[];
  /** Keywords of the file that change who gets traffic and are not in effect yet: it is served without (`--lenient`). */
  readonly notAsWritten: readonly string[];
  readonly origin: Origin;
};

/** `name` is that of serviceKey(), `fwmark 3` or `group NAME`; `reason` as in `forwarding by TUN`. */
export type LeftOutService = { readonly name: string; readonly reason: string; readonly origin: Origin };

export type SorryServer = {
  readonly address: IpAddress;
  readonly port: number;
  readonly method: ForwardingMethod;
};

export type RealServer = {
  readonly address: IpAddress;
  readonly port: number;
  readonly method: ForwardingMethod;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly alpha: boolean;
  /** When its checkers fail: stay in the table with weight 0 instead of leaving it. */
  readonly inhibitOnFailure: boolean;
  /** All must pass. Without any the server is always up. */
  readonly checkers: readonly CheckerPolicy[];
  readonly origin: Origin;
};

/**
 * What is asked of a server and how often; inheritance and defaults are resolved. `kind` and what its question is made of:
 * src/config/checkers.
 */
export type CheckerPolicy<Kind extends string = string, Question extends object = object> = CheckSchedule & {
  readonly kind: Kind;
  /** All that its probe needs to know beside the time that it has. */
  readonly question: Question;
};

export type CheckSchedule = {
  /** An attempt without an answer counts as failed after this (`connect_timeout`). */
  readonly timeout: Micros;
  /** From the end of one probe to the start of the next. */
  readonly delayLoop: Micros;
  /** Further attempts before a failure counts; 0 fails at once. */
  readonly retries: number;
  readonly delayBeforeRetry: Micros;
  /** The first probe waits a random time up to this. */
  readonly warmup: Micros;
  readonly alpha: boolean;
  readonly logAllFailures: boolean;
};

/** The block `director { }`. */
export type DirectorSettings = {
  /** undefined: every device with Ethernet or IP frames that is up and not enslaved, followed as they come and go. */
  readonly interfaces: readonly string[] | undefined;
  readonly workers: number | 'auto';
  readonly cpus: readonly number[] | undefined;
  readonly io: 'af_packet' | 'af_xdp' | 'auto';
  readonly offload: 'none' | 'tc' | 'xdp' | 'auto';
  /** Upper bound of the connection table. */
  readonly connections: number;
  readonly serverOrder: 'kernel' | 'config';
  readonly expireNodestConn: NodestRule;
  readonly expireQuiescentTemplate: boolean;
  readonly metrics: { readonly address: IpAddress; readonly port: number } | undefined;
  readonly peer: { readonly address: IpAddress; readonly port: number } | undefined;
  readonly peerKeyFile: string | undefined;
};

export const defaultDirectorSettings: DirectorSettings = {
  interfaces: undefined,
  workers: 'auto',
  cpus: undefined,
  io: 'auto',
  offload: 'auto',
  connections: 1_000_000,
  serverOrder: 'kernel',
  expireNodestConn: defaultPolicy.expireNodestConn,
  expireQuiescentTemplate: defaultPolicy.expireQuiescentTemplate,
  metrics: undefined,
  peer: undefined,
  peerKeyFile: undefined,
};
