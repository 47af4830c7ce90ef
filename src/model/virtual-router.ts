// A virtual router (`vrrp_instance`), its sync group and what it tracks, as the state machine wants them: defaults and
// inheritance resolved, nothing left to look up. The configuration language produces these values.

import type { Family, IpAddress, Prefix } from './address.js';
import { type Micros, micros, seconds } from './units.js';

export type VrrpVersion = 2 | 3;

/** `none`: 0. `simple`: 1, RFC 2338's clear-text password, eight bytes padded with zeros; VRRPv2 only. */
export type Authentication =
  | { readonly kind: 'none' }
  | { readonly kind: 'simple'; readonly password: string };

/**
 * What the checksum of a VRRPv3 advert over IPv4 covers when we send. `pseudo-header`: RFC 5798 as keepalived reads
 * it. `message`: the VRRP message alone (RFC 9568 5.2.8; `v3_checksum_as_v2`). Received, either is right.
 */
export type ChecksumConvention = 'pseudo-header' | 'message';

/** A peer that adverts go to one by one. keepalived's default takes any TTL from it: 0 to 255. */
export type UnicastPeer = { readonly address: IpAddress; readonly minTtl: number; readonly maxTtl: number };

export type Delivery =
  | { readonly kind: 'multicast'; readonly group: IpAddress }
  | {
      readonly kind: 'unicast';
      readonly peers: readonly UnicastPeer[];
      /** Adverts of anybody else are refused (`check_unicast_src`). */
      readonly checksSource: boolean;
      readonly ttl: number;
    };

export const routeKinds = ['unicast', 'blackhole', 'unreachable', 'prohibit', 'throw'] as const;
export const scopes = ['global', 'link', 'host', 'site'] as const;

export type VirtualAddress = Prefix & {
  /** undefined: the virtual router's own device. */
  readonly device: string | undefined;
  readonly label: string | undefined;
  readonly scope: (typeof scopes)[number];
  readonly broadcast: IpAddress | undefined;
};

export type VirtualRoute = {
  /** All but 'unicast' lead nowhere, each with another answer (`ip route`). */
  readonly kind: (typeof routeKinds)[number];
  readonly destination: Prefix;
  readonly gateway: IpAddress | undefined;
  readonly device: string | undefined;
  readonly source: IpAddress | undefined;
  readonly metric: number | undefined;
  readonly table: number | undefined;
  /** undefined: link without a gateway, else global. */
  readonly scope: (typeof scopes)[number] | undefined;
  /** The gateway counts as a neighbour, whatever the device's addresses say. */
  readonly isOnLink: boolean;
};

/** When gratuitous ARP and unsolicited NA go out (`garp_*`); counts are messages per address. */
export type AnnouncePolicy = {
  /** At once on becoming master, and again after `delay`; a delay of 0 leaves the second round out. */
  readonly repeat: number;
  readonly delay: Micros;
  /** While master, so that whoever missed all others hears one; 0: never. */
  readonly refresh: Micros;
  /** The file asks for `refresh`: it goes on while somebody else holds the addresses too. Ours pauses then. */
  readonly isRefreshWritten: boolean;
  readonly refreshRepeat: number;
  /** After an advert of a second, losing master. */
  readonly lowerPriorityRepeat: number;
  readonly lowerPriorityDelay: Micros;
  /** One address of each device that no advert leaves by, so that switches keep its MAC (`garp_extra_if`); 0: never. */
  readonly extra: Micros;
  /** Which of those devices: the virtual MAC's alone, or `all`. */
  readonly extraDevices: 'virtual-mac' | 'all';
};

/** `refresh` differs from keepalived's 0: neighbours that missed the announcement stayed wrong for good. */
export const defaultAnnouncePolicy: AnnouncePolicy = {
  repeat: 5,
  delay: seconds(5),
  refresh: seconds(60),
  isRefreshWritten: false,
  refreshRepeat: 1,
  lowerPriorityRepeat: 5,
  lowerPriorityDelay: seconds(5),
  extra: micros(0),
  extraDevices: 'virtual-mac',
};

/** Something that a virtual router depends on. `weight` 0: its failure is a fault; otherwise it moves the priority. */
export type Track = {
  readonly kind: 'interface' | 'script' | 'file';
  /** Of the device, the `vrrp_script` or the `track_file`. */
  readonly name: string;
  /** Scripts and devices −253 to 253; a file's number is multiplied by it. */
  readonly weight: number;
  /** Weight 0: good and bad are swapped. Otherwise what would be added is subtracted. */
  readonly isReversed: boolean;
};

/** Whom a script runs as; without a group: the user's own. */
export type Account = { readonly user: string; readonly group: string | undefined };

/** `vrrp_script`: how often it runs, and how many results in a row decide. */
export type TrackScript = {
  readonly name: string;
  readonly command: readonly string[];
  readonly interval: Micros;
  readonly timeout: Micros;
  readonly rise: number;
  readonly fall: number;
  /** Counts as failed until its first result. */
  readonly failsAtStart: boolean;
  /** undefined: that of the ScriptPolicy. */
  readonly account: Account | undefined;
};

export type VirtualRouter = {
  readonly name: string;
  readonly device: string;
  readonly family: Family;
  readonly version: VrrpVersion;
  readonly virtualRouterId: number;
  /** Only an owner (255) with 'master' takes the addresses at once; everybody else listens first. */
  readonly startState: 'master' | 'backup';
  /** 1–254; 255 owns the addresses. */
  readonly priority: number;
  /** v2: whole seconds. v3: 10 ms to 40.95 s in steps of 10 ms. */
  readonly advertInterval: Micros;
  /** Adverts that may be missing before the master counts as dead. */
  readonly downTimerAdverts: number;
  readonly preempt: boolean;
  /** How long a master with lower priority is left alone after it was first heard. */
  readonly preemptDelay: Micros;
  /** Nothing is sent or heard for this long after the start. */
  readonly startupDelay: Micros;
  /** `accept`: packets to the addresses themselves are taken by this host while master (RFC 9568 Accept_Mode). */
  readonly acceptsTraffic: boolean;
  readonly isStrict: boolean;
  /** `lower_prio_no_advert` makes it false: a losing master is not answered with an advert. */
  readonly answersLowerPriority: boolean;
  /** `higher_prio_send_advert`: one more advert before giving way, by which the winner of a split learns of it. */
  readonly answersHigherPriority: boolean;
  /** `owner_ignore_adverts`: an owner (255) does not hear others at all. */
  readonly ownerIgnoresAdverts: boolean;
  /** `skip_check_adv_addr`: the address list of the master that is followed already is not compared again. */
  readonly skipsKnownAddressCheck: boolean;
  readonly authentication: Authentication;
  readonly checksum: ChecksumConvention;
  readonly delivery: Delivery;
  /** `mcast_src_ip`, `unicast_src_ip`; undefined: the device's primary (IPv6: link-local) address. */
  readonly source: IpAddress | undefined;
  /** In the order of the file; these stand in adverts. */
  readonly addresses: readonly VirtualAddress[];
  /** Come and go with the others, and stand in no advert. */
  readonly excludedAddresses: readonly VirtualAddress[];
  readonly routes: readonly VirtualRoute[];
  /** `use_vmac`: name of the macvlan device with the virtual router's MAC. */
  readonly virtualMacDevice: string | undefined;
  /** The MAC of that device, `00:00:5e:00:01:VRID` unless the file names one; undefined without `use_vmac`. */
  readonly virtualMac: string | undefined;
  readonly announce: AnnouncePolicy;
  readonly tracks: readonly Track[];
  /** How long the advert repeater may speak for a control plane that does not answer; then mastership ends. */
  readonly advertLease: Micros;
  /** How long a stopping master keeps forwarding while it waits for its successor's advert. */
  readonly releaseBudget: Micros;
};

/**
 * What stands where the file says nothing. Two differ from keepalived, so that a healed split and a missed announcement
 * are corrected without being asked for: `answersHigherPriority`, and `refresh` in `announce`.
 */
export const virtualRouterDefaults = {
  version: 2,
  startState: 'backup',
  priority: 100,
  advertInterval: seconds(1),
  downTimerAdverts: 3,
  preempt: true,
  preemptDelay: micros(0),
  startupDelay: micros(0),
  acceptsTraffic: true,
  isStrict: false,
  answersLowerPriority: true,
  answersHigherPriority: true,
  ownerIgnoresAdverts: false,
  skipsKnownAddressCheck: false,
  authentication: { kind: 'none' },
  checksum: 'pseudo-header',
  source: undefined,
  excludedAddresses: [],
  routes: [],
  virtualMacDevice: undefined,
  virtualMac: undefined,
  announce: defaultAnnouncePolicy,
  tracks: [],
} as const satisfies Partial<VirtualRouter>;

export type SyncGroup = {
  readonly name: string;
  /** Names of virtual routers; all master, all backup or all in fault. */
  readonly members: readonly string[];
  /** Of the group itself: they count for every member. */
  readonly tracks: readonly Track[];
  /** `sync_group_tracking_weight`: weights among a member's own tracks move that member's priority; otherwise they are left out. */
  readonly hasMemberWeights: boolean;
};

/** The longest that the control plane may be silent without losing mastership. */
export function defaultAdvertLease(advertInterval: Micros): Micros {
  return micros(Math.max(seconds(4), 2 * advertInterval));
}

/** Two priority-0 adverts, one interval apart, the longest skew after the second, and time to be heard. */
export function defaultReleaseBudget(advertInterval: Micros): Micros {
  return micros(2 * advertInterval + Math.max(advertInterval / 2, seconds(0.5)));
}

/** Why `router` may not run under `strict_mode`, in words; empty when it may. */
export function strictDefects(router: VirtualRouter): string[] {
  const isOwner = router.priority === 255;
  const first = router.addresses[0]?.address;
  const defects: (readonly [boolean, string])[] = [
    [router.addresses.length === 0, 'no virtual address'],
    [router.delivery.kind === 'unicast', 'unicast peers'],
    [router.family === 6 && router.version === 2, 'IPv6 with version 2'],
    [
      router.family === 6 && first !== undefined && !/^fe[89ab][0-9a-f]:/.test(first),
      'first address is not link-local',
    ],
    [router.startState === 'master' && !isOwner, 'state MASTER with a priority below 255'],
    [router.authentication.kind !== 'none', 'authentication'],
    [router.preemptDelay > 0, 'preempt_delay'],
  ];
  return defects.filter(([isWrong]) => isWrong).map(([, text]) => text);
}

/** What `strict_mode` changes: one announcement instead of several, silence towards losers, accept for owners only. */
export function asStrict(router: VirtualRouter): VirtualRouter {
  if (!router.isStrict) return router;
  return {
    ...router,
    answersLowerPriority: false,
    acceptsTraffic: router.priority === 255,
    announce: { ...router.announce, repeat: 1, delay: micros(0), refresh: micros(0), lowerPriorityRepeat: 1 },
  };
}
