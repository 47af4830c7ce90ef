// What global_defs { } says about every virtual router: the values that an instance has where it is silent itself.

import type { IpAddress } from '../../model/address.js';
import type { Pause } from '../../model/failover-config.js';
import { type Micros, micros } from '../../model/units.js';
import {
  type AnnouncePolicy,
  type ChecksumConvention,
  defaultAnnouncePolicy,
  type VrrpVersion,
  virtualRouterDefaults,
} from '../../model/virtual-router.js';
import type { Block } from '../tree.js';
import { readExtraAnnouncements } from './announce-pacing.js';
import { addressOf, flagOf, integerOf, textOf, timerOf } from './settings.js';

export type VrrpDefaults = {
  readonly device: string;
  readonly version: VrrpVersion;
  readonly group4: IpAddress;
  readonly group6: IpAddress;
  readonly announce: AnnouncePolicy;
  readonly pause: Pause;
  readonly checksUnicastSource: boolean;
  readonly skipsKnownAddressCheck: boolean;
  readonly isStrict: boolean;
  readonly answersLowerPriority: boolean;
  readonly answersHigherPriority: boolean;
  readonly ownerIgnoresAdverts: boolean;
  readonly checksum: ChecksumConvention;
  readonly downTimerAdverts: number;
  readonly startupDelay: Micros;
  readonly notifiesPriority: boolean;
  /** Before the dot in the name of a virtual MAC's device. */
  readonly virtualMacPrefix: string;
};

export const defaultGroup4 = '224.0.0.18' as IpAddress;
export const defaultGroup6 = 'ff02::12' as IpAddress;

/** The last word of several global_defs counts. */
export type Last = <T>(read: (block: Block) => T | undefined) => T | undefined;

export function readVrrpDefaults(last: Last, device: string): VrrpDefaults {
  const usual = virtualRouterDefaults;
  const flag = (name: string): boolean | undefined => last((block) => flagOf(block, name));
  const timer = (name: string): Micros | undefined => last((block) => timerOf(block, name));
  const isSilent = flag('vrrp_lower_prio_no_advert');
  return {
    device,
    version: last((block) => integerOf(block, 'vrrp_version')) === 3 ? 3 : usual.version,
    group4: last((block) => addressOf(block, 'vrrp_mcast_group4')) ?? defaultGroup4,
    group6: last((block) => addressOf(block, 'vrrp_mcast_group6')) ?? defaultGroup6,
    announce: readGlobalAnnounce(last, flag('vrrp_min_garp') ?? false),
    pause: {
      arp: timer('vrrp_garp_interval') ?? micros(0),
      na: timer('vrrp_gna_interval') ?? micros(0),
    },
    checksUnicastSource: flag('vrrp_check_unicast_src') ?? false,
    skipsKnownAddressCheck: flag('vrrp_skip_check_adv_addr') ?? usual.skipsKnownAddressCheck,
    isStrict: flag('vrrp_strict') ?? usual.isStrict,
    answersLowerPriority: isSilent === undefined ? usual.answersLowerPriority : !isSilent,
    answersHigherPriority: flag('vrrp_higher_prio_send_advert') ?? usual.answersHigherPriority,
    ownerIgnoresAdverts: flag('vrrp_owner_ignore_adverts') ?? usual.ownerIgnoresAdverts,
    checksum: flag('v3_checksum_as_v2') ? 'message' : usual.checksum,
    downTimerAdverts: last((block) => integerOf(block, 'vrrp_down_timer_adverts')) ?? usual.downTimerAdverts,
    startupDelay: timer('vrrp_startup_delay') ?? usual.startupDelay,
    notifiesPriority: flag('vrrp_notify_priority_changes') ?? false,
    virtualMacPrefix: last((block) => textOf(block, 'vmac_prefix')) ?? 'uvs',
  };
}

/** `vrrp_min_garp`: one message, no second round, no refresh. */
const leastAnnounce = {
  repeat: 1,
  delay: micros(0),
  refresh: micros(0),
  isRefreshWritten: true,
  refreshRepeat: 1,
};

function readGlobalAnnounce(last: Last, isLeast: boolean): AnnouncePolicy {
  const usual = { ...defaultAnnouncePolicy, ...(isLeast ? leastAnnounce : {}) };
  const timer = (name: string) => last((block) => timerOf(block, `vrrp_garp_${name}`));
  const count = (name: string) => last((block) => integerOf(block, `vrrp_garp_${name}`));
  const repeat = count('master_repeat') ?? usual.repeat;
  const delay = timer('master_delay') ?? usual.delay;
  const { extra, extraDevices } =
    last((block) => readExtraAnnouncements(block, 'vrrp_garp_extra_if')) ?? usual;
  return {
    repeat,
    delay,
    refresh: timer('master_refresh') ?? usual.refresh,
    isRefreshWritten: timer('master_refresh') !== undefined || usual.isRefreshWritten,
    refreshRepeat: count('master_refresh_repeat') ?? usual.refreshRepeat,
    lowerPriorityRepeat: count('lower_prio_repeat') ?? repeat,
    lowerPriorityDelay: timer('lower_prio_delay') ?? delay,
    extra,
    extraDevices,
  };
}
