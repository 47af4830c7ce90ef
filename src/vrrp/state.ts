// The states, events and actions of one virtual router. A deadline is part of the state that waits for it, so leaving
// a state is what cancels its timers, and the engine only ever asks for the next one.
//
//                 start, owner                  ┌── higher advert, or stalled ───┐
//   initialize ─────────────────────▶ master ◀──┴─ silence, priority 0, group ─ backup ◀── initialize
//       ▲                            │      ▲                                     ▲
//       │ stop                 release│      │ switchover failed                   │ switchover done
//       └──────────────────────── releasing ─┴─────────────────────────────────────┘     any ⇄ fault

import type { IpAddress } from '../model/address.js';
import { type Micros, micros } from '../model/units.js';
import type { VirtualRouter } from '../model/virtual-router.js';
import type { Cause } from './cause.js';
import type { ReceivedAdvert, Rejection } from './receive.js';

/** What `step` goes by: the configuration and the address that our adverts come from. */
export type InstancePolicy = { readonly router: VirtualRouter; readonly source: IpAddress };

type Common = {
  /** What tracking makes of the configured priority. */
  readonly priority: number;
  /** Why the router may not take part, in words; empty when it may. */
  readonly faults: readonly string[];
  /** The member of the sync group whose fault is ours too. */
  readonly groupFault: string | undefined;
  /** An owner that met another owner: counts as 254 until the next start. */
  readonly hasYielded: boolean;
  readonly since: Micros;
  readonly cause: Cause;
};

/** Whether a master with lower priority is left alone; beside `nopreempt`, which always leaves it alone. */
export type Preemption =
  | { readonly kind: 'free' }
  | { readonly kind: 'delayed'; readonly until: Micros }
  /** After a switchover: until it is allowed again or the master dies. */
  | { readonly kind: 'held' };

export type HeardMaster = { readonly source: IpAddress; readonly priority: number; readonly at: Micros };

export type AnnounceReason =
  | 'master'
  | 'delayed'
  | 'refresh'
  | 'extra'
  | 'lower-priority'
  | 'healed'
  | 'conflict'
  /** Nothing is said; who holds the addresses is asked. */
  | 'claimed'
  /** The same, while somebody else holds them. */
  | 'contested'
  | 'missed';

export type Announcement = { readonly at: Micros; readonly why: AnnounceReason };

/** A second master that we hear while we are one. */
export type Rival = {
  readonly source: IpAddress;
  readonly since: Micros;
  /** Silence until then means that it is gone. */
  readonly quietAt: Micros;
  readonly isReported: boolean;
  /** Its adverts pass the ladder: then its silence says that it is no master any more. */
  readonly isUnderstood: boolean;
  /** When the addresses were last announced against it. */
  readonly announcedAt: Micros | undefined;
};

export type InitializeState = Common & {
  readonly kind: 'initialize';
  /** End of the startup delay; undefined: not started, or stopped. */
  readonly startAt: Micros | undefined;
};

export type BackupState = Common & {
  readonly kind: 'backup';
  readonly masterDownAt: Micros;
  /** v3: the interval of the master that is followed. */
  readonly masterInterval: Micros;
  /** The master that is followed, by its last advert. */
  readonly master: HeardMaster | undefined;
  /** A master with lower priority whose adverts are discarded. */
  readonly challenged: HeardMaster | undefined;
  /** Gave up by priority 0; what is left is the skew time. */
  readonly releasedBy: IpAddress | undefined;
  readonly preemption: Preemption;
  /** Whose adverts were last refused, and why: told when it changes, not with every advert. */
  readonly refused: { readonly source: IpAddress; readonly reason: Rejection } | undefined;
  /** We were late ourselves and wait once more for what lies unread. */
  readonly isGraced: boolean;
  /** Since our deadline has passed: only the sync group waits, for others of its members. */
  readonly ready: { readonly since: Micros; readonly isReported: boolean } | undefined;
};

export type MasterState = Common & {
  readonly kind: 'master';
  readonly advertAt: Micros;
  /** Ordered by time. */
  readonly announcements: readonly Announcement[];
  readonly rival: Rival | undefined;
  /** When a claim last made us ask who holds the addresses. */
  readonly askedAt: Micros | undefined;
  /** Somebody else's MAC answers for one of our addresses: since when, and when it last did. */
  readonly conflict:
    | {
        readonly address: IpAddress;
        readonly mac: string;
        readonly since: Micros;
        readonly at: Micros;
      }
    | undefined;
};

/** Gave up by priority 0, and holds addresses and forwarding until the successor is heard. */
export type ReleasingState = Common & {
  readonly kind: 'releasing';
  readonly purpose: 'stop' | 'switchover';
  /** When priority 0 is said again. */
  readonly advertAt: Micros;
  readonly until: Micros;
};

export type FaultState = Common & { readonly kind: 'fault' };

export type VrrpState = InitializeState | BackupState | MasterState | ReleasingState | FaultState;

/** An advert for our VRID that the ladder refused; `detail` has the two values, where there are two. */
export type Refusal = {
  readonly source: IpAddress;
  readonly reason: Rejection;
  readonly detail?: string | undefined;
};

/** `interval: it says 2 s, here 1 s`. */
export function refusalText({ reason, detail }: Refusal): string {
  return detail === undefined ? reason : `${reason}: ${detail}`;
}

export type VrrpEvent =
  /** `isResumed`: we were master until a moment ago, and our peers still wait for our next advert. */
  | { readonly kind: 'start'; readonly isResumed?: boolean }
  /** `waitsFor`: a member of the sync group that may not take over yet. */
  | { readonly kind: 'deadline'; readonly waitsFor?: string | undefined }
  | { readonly kind: 'advert'; readonly advert: ReceivedAdvert }
  | ({ readonly kind: 'rejected' } & Refusal)
  /** What tracking says now. */
  | { readonly kind: 'tracking'; readonly priority: number; readonly faults: readonly string[] }
  /** The sync group moves. */
  | { readonly kind: 'group'; readonly to: 'master' | 'backup'; readonly router: string }
  | { readonly kind: 'group-fault'; readonly router: string | undefined }
  | { readonly kind: 'group-announce' }
  /** Graceful stop: make before break. `budget`: the sync group's, where it is longer than the router's own. */
  | { readonly kind: 'release'; readonly budget?: Micros }
  /** Stop at once. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'switchover'; readonly budget?: Micros }
  /** Ends what a switchover holds back. */
  | { readonly kind: 'allow-preemption' }
  /** An answer to a probe of one of our addresses, from a MAC that is not ours. */
  | { readonly kind: 'address-answered'; readonly address: IpAddress; readonly mac: string }
  /** Somebody says unasked that it holds one of our addresses. */
  | { readonly kind: 'address-claimed' }
  /** An announcement could not be sent, or the link was gone while it was. */
  | { readonly kind: 'announcement-missed'; readonly reason: string }
  /** Other settings of the same virtual router are in force. */
  | { readonly kind: 'changed' }
  /** The advert repeater stopped speaking for us. */
  | { readonly kind: 'lease-expired' };

/** keepalived's words for scripts and FIFOs are made of these. */
export type NotifyState = 'master' | 'backup' | 'fault' | 'stop' | 'master-rx-lower-priority' | 'priority';

export type ReportCode =
  | 'second-master'
  | 'second-master-gone'
  | 'address-conflict'
  | 'address-conflict-gone'
  | 'second-owner'
  | 'not-understood'
  | 'other-checksum'
  | 'interval-adopted'
  | 'stalled'
  | 'preemption-waits'
  | 'group-waits'
  | 'lower-priority-discarded'
  | 'switchover-failed'
  | 'switchover-refused'
  | 'nobody-took-over'
  | 'announcement-missed';

/**
 * What the engine does, in this order; nothing here decides any more. It counts every 'report', and writes one of a code
 * and virtual router only every now and then: strangers can cause some of them with each packet.
 */
export type VrrpAction =
  | {
      readonly kind: 'transition';
      readonly from: VrrpState['kind'];
      readonly to: VrrpState['kind'];
      readonly cause: Cause;
    }
  | { readonly kind: 'send-advert'; readonly priority: number }
  /** Ask who holds the addresses, before they are ours. */
  | { readonly kind: 'probe-addresses' }
  /** Schedule for the addresses, or stop it. */
  | { readonly kind: 'forward'; readonly isOn: boolean }
  | { readonly kind: 'add-addresses' }
  | { readonly kind: 'remove-addresses' }
  /** What a dead run may have left; nothing, most times. */
  | { readonly kind: 'clean-addresses' }
  | { readonly kind: 'announce'; readonly repeat: number; readonly why: AnnounceReason }
  | { readonly kind: 'notify'; readonly state: NotifyState; readonly priority: number }
  | {
      readonly kind: 'report';
      readonly level: 'info' | 'warning' | 'error';
      readonly code: ReportCode;
      readonly text: string;
    };

export type VrrpStep = { readonly state: VrrpState; readonly actions: readonly VrrpAction[] };

/** A virtual router before its 'start' event. */
export function createInstance(router: VirtualRouter, now: Micros): InitializeState {
  return {
    kind: 'initialize',
    startAt: undefined,
    priority: router.priority,
    faults: [],
    groupFault: undefined,
    hasYielded: false,
    since: now,
    cause: { kind: 'created' },
  };
}

/** When the router wants its next 'deadline' event; undefined: never by itself. */
export function nextDeadline(state: VrrpState): Micros | undefined {
  switch (state.kind) {
    case 'initialize':
      return state.startAt;
    case 'backup':
      return state.masterDownAt;
    case 'master': {
      const times = [state.advertAt, ...state.announcements.map(({ at }) => at)];
      if (state.rival !== undefined) times.push(state.rival.quietAt);
      return micros(Math.min(...times));
    }
    case 'releasing':
      return micros(Math.min(state.advertAt, state.until));
    case 'fault':
      return undefined;
    default:
      return state satisfies never;
  }
}

/** The priority that stands in adverts and decides elections. */
export function effectivePriority(state: VrrpState): number {
  return state.hasYielded ? Math.min(state.priority, 254) : state.priority;
}

/** True while the addresses are ours and we schedule for them. */
export function holdsAddresses(state: VrrpState): state is MasterState | ReleasingState {
  return state.kind === 'master' || state.kind === 'releasing';
}

export function unchanged(state: VrrpState): VrrpStep {
  return { state, actions: [] };
}
