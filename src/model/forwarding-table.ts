// What the data plane forwards by: services with their destinations, complete and ready to publish.
// It holds no policy (no checkers, no quorum): the engine has already decided who is in.

import { addressBits, type Family, type IpAddress, maskText } from './address.js';
import { type ClientRules, everyClient } from './client-rules.js';
import type { DestinationId, ServiceId } from './service-id.js';

/** The schedulers of IPVS; names as in ipvsadm and keepalived. Each has its file in addon/core/schedule. */
export const schedulers = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'sh',
  'mh',
  'dh',
  'fo',
  'ovf',
  'sed',
  'nq',
  'twos',
] as const;
export type Scheduler = (typeof schedulers)[number];

export const forwardingMethods = ['nat', 'dr'] as const;
export type ForwardingMethod = (typeof forwardingMethods)[number];

/** Flags of the schedulers that have some, as ipvsadm's `-b` and keepalived name them, with the kernel's bits. */
export const schedulerFlags = [
  { name: 'sh-fallback', scheduler: 'sh', bit: 1 },
  { name: 'sh-port', scheduler: 'sh', bit: 2 },
  { name: 'mh-fallback', scheduler: 'mh', bit: 1 },
  { name: 'mh-port', scheduler: 'mh', bit: 2 },
] as const satisfies readonly { name: string; scheduler: Scheduler; bit: number }[];
export type SchedulerFlag = (typeof schedulerFlags)[number]['name'];

/** All words for flags: the kernel's bits, to which a scheduler may give a meaning, and the meanings. */
export const schedulerFlagWords = [
  { name: 'flag-1', scheduler: undefined, bit: 1 },
  { name: 'flag-2', scheduler: undefined, bit: 2 },
  { name: 'flag-3', scheduler: undefined, bit: 4 },
  ...schedulerFlags,
] as const;

/**
 * A client's next connections have the server of its first, until `timeout_s` after the last one began, and as long as one
 * lives. Addresses with the same first `prefixLength` bits are one client.
 */
export type Persistence = { readonly timeout_s: number; readonly prefixLength: number };

/** A mask for IPv4, the length of a prefix for IPv6; undefined: each address is a client. */
export function granularityText({ prefixLength }: Persistence, family: Family): string | undefined {
  if (prefixLength === addressBits(family)) return undefined;
  return family === 4 ? maskText(prefixLength) : String(prefixLength);
}

/** 31 days, as in ipvsadm and keepalived. */
export const maxPersistence_s = 31 * 24 * 3600;

export type Destination = DestinationId & {
  readonly method: ForwardingMethod;
  /** 0–65535; 0 is quiesced: no new connections, the old ones run on. */
  readonly weight: number;
  /** At this many connections the destination is overloaded; 0 is no limit. */
  readonly upperThreshold: number;
  /** Below this many it is usable again; 0 is three quarters of the upper threshold. */
  readonly lowerThreshold: number;
  /** The configuration no longer has it, or its service: it gets no new connections, and the old ones run out. */
  readonly isRemoved?: true;
};

export type Service = {
  readonly id: ServiceId;
  readonly scheduler: Scheduler;
  readonly flags: readonly SchedulerFlag[];
  /** Every datagram is scheduled anew and leaves no connection behind (UDP only; ipvsadm `-o`). */
  readonly onePacket: boolean;
  readonly persistence: Persistence | undefined;
  /** No new connections (they pass to the host as if there were no service); the old ones run on. */
  readonly isDraining: boolean;
  /** Its address is another director's now: no packet is ours, new or old; counters and connections stay. */
  readonly isStandby: boolean;
  /** In the scheduler's order of visit: the first is visited first (the kernel's list is newest first). */
  readonly destinations: readonly Destination[];
};

/**
 * What becomes of connections whose server is no longer there: 0 and 1 as the kernel's sysctl of that name; `move` is
 * ours: clients that ask anew, or get no answer, are served elsewhere, everybody else waits for the server.
 */
export const nodestRules = [0, 1, 'move'] as const;
export type NodestRule = (typeof nodestRules)[number];

/** What IPVS takes from sysctl and `ipvsadm --set`. Timeouts in seconds. */
export type DataplanePolicy = {
  readonly tcpTimeout_s: number;
  readonly tcpFinTimeout_s: number;
  readonly udpTimeout_s: number;
  readonly connReuseMode: 0 | 1 | 2 | 3;
  readonly expireNodestConn: NodestRule;
  readonly sloppyTcp: boolean;
  /** A client whose server has weight 0 gets another one, whatever its persistence. */
  readonly expireQuiescentTemplate: boolean;
};

/** The kernel's defaults, but for the rule of servers that are gone. */
export const defaultPolicy: DataplanePolicy = {
  tcpTimeout_s: 900,
  tcpFinTimeout_s: 120,
  udpTimeout_s: 300,
  connReuseMode: 1,
  expireNodestConn: 'move',
  sloppyTcp: false,
  expireQuiescentTemplate: false,
};

export type ForwardingTable = {
  readonly services: readonly Service[];
  /** Virtual addresses at which this host takes nothing itself (RFC 9568 Accept_Mode False): services only. */
  readonly closedAddresses: readonly IpAddress[];
  readonly clients: ClientRules;
  readonly policy: DataplanePolicy;
};

export const emptyTable: ForwardingTable = {
  services: [],
  closedAddresses: [],
  clients: everyClient,
  policy: defaultPolicy,
};
