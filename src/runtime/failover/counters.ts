// What is counted for each virtual router, since the director started: everything that keepalived's statistics show,
// every rung of the receive ladder, and everything that was told, written or not.

import { type Rejection, rejections } from '../../vrrp/receive.js';
import type { Refusal } from '../../vrrp/state.js';

export type RouterCounters = {
  /** Adverts that passed the ladder. */
  received: number;
  /** Adverts that were decided on; to several unicast peers it is one. */
  sent: number;
  /** Adverts that could not be sent, to one peer at least. */
  sendFailures: number;
  becameMaster: number;
  releasedMaster: number;
  priorityZeroReceived: number;
  priorityZeroSent: number;
  readonly rejected: Record<Rejection, number>;
  lastRejected: Refusal | undefined;
  /** Frames: gratuitous ARP and unsolicited neighbour advertisements. */
  announced: number;
  announceFailures: number;
  /** Of a master that was lost; and how many of them took longer than their budget. */
  takeovers: number;
  lateTakeovers: number;
  /** By code; far more than are written to the log. */
  readonly reports: Record<string, number>;
};

export function newCounters(): RouterCounters {
  return {
    received: 0,
    sent: 0,
    sendFailures: 0,
    becameMaster: 0,
    releasedMaster: 0,
    priorityZeroReceived: 0,
    priorityZeroSent: 0,
    rejected: Object.fromEntries(rejections.map((reason) => [reason, 0])) as Record<Rejection, number>,
    lastRejected: undefined,
    announced: 0,
    announceFailures: 0,
    takeovers: 0,
    lateTakeovers: 0,
    reports: {},
  };
}
