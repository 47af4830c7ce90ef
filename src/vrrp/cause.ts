// Why a virtual router changed its state: the timeline's values and their sentences.

import type { IpAddress } from '../model/address.js';
import { type Micros, secondsText } from '../model/units.js';

export type Cause =
  | { readonly kind: 'created' }
  | { readonly kind: 'started' }
  | { readonly kind: 'owner' }
  | { readonly kind: 'resumed' }
  /** No advert for `silence`; the master of before, where one was heard. */
  | { readonly kind: 'silence'; readonly silence: Micros; readonly master: IpAddress | undefined }
  | { readonly kind: 'released'; readonly by: IpAddress }
  | { readonly kind: 'preempted'; readonly master: IpAddress; readonly priority: number }
  | { readonly kind: 'higher-priority'; readonly by: IpAddress; readonly priority: number }
  | { readonly kind: 'higher-address'; readonly by: IpAddress }
  | { readonly kind: 'second-owner'; readonly by: IpAddress }
  | { readonly kind: 'fault'; readonly reasons: readonly string[] }
  | { readonly kind: 'recovered' }
  | { readonly kind: 'group'; readonly router: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'switchover' }
  | { readonly kind: 'taken-over'; readonly by: IpAddress }
  | { readonly kind: 'nobody-took-over' }
  /** `late`: by how much the next advert was; undefined: not known, only that the lease ran out meanwhile. */
  | { readonly kind: 'stalled'; readonly late: Micros | undefined };

/** The cause as the rest of a sentence that begins with the state. */
export function causeText(cause: Cause): string {
  switch (cause.kind) {
    case 'created':
      return 'not started yet';
    case 'started':
      return 'started';
    case 'owner':
      return 'owner of the addresses (priority 255)';
    case 'resumed':
      return 'master before a restart, and back in time';
    case 'silence':
      return cause.master === undefined
        ? `no master was heard for ${secondsText(cause.silence)}`
        : `master ${cause.master} was silent for ${secondsText(cause.silence)}`;
    case 'released':
      return `${cause.by} gave up (priority 0)`;
    case 'preempted':
      return `our priority is above that of ${cause.master} (${cause.priority})`;
    case 'higher-priority':
      return `${cause.by} has priority ${cause.priority}, above ours`;
    case 'higher-address':
      return `${cause.by} has our priority and the higher address`;
    case 'second-owner':
      return `${cause.by} is configured as owner (255) too and has the higher address`;
    case 'fault':
      return cause.reasons.join('; ');
    case 'recovered':
      return 'the fault is gone';
    case 'group':
      return `the sync group follows ${cause.router}`;
    case 'stop':
      return 'stopping';
    case 'switchover':
      return 'switchover asked for';
    case 'taken-over':
      return `${cause.by} took over`;
    case 'nobody-took-over':
      return 'nobody took over in time';
    case 'stalled':
      return stallText(cause.late);
    default:
      return cause satisfies never;
  }
}

export function stallText(late: Micros | undefined): string {
  if (late === undefined) return 'this process stood still until its advert lease ran out';
  return `this process stood still for ${secondsText(late)}, longer than the advert lease`;
}

/** What may make two hosts hold one address, asked of whoever reads it. IPv6 stacks answer for no address of another device. */
export function conflictQuestion(address: IpAddress): string {
  const blocked = 'is VRRP, IP protocol 112, blocked between the directors';
  return address.includes(':')
    ? `${blocked}?`
    : `${blocked}, or does a real server answer for it (arp_ignore)?`;
}
