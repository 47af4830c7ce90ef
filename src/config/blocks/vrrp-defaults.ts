// What global_defs { } says about every virtual router: the values that an instance has where it is silent itself.

import type { NotifyScripts, Pause } from '../../model/failover-config.js';
import { type Micros, micros } from '../../model/units.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import { type Last, readGlobals } from '../row.js';
import { readGlobalAnnounce } from '../rows/announce.js';
import { notifyRows } from '../rows/notify.js';
import { routerRows } from '../rows/vrrp-instance.js';
import { type DeliveryDefaults, defaultGroup4, defaultGroup6 } from './router-delivery.js';
import { addressOf, flagOf, textOf, timerOf } from './settings.js';

export type VrrpDefaults = {
  readonly device: string;
  readonly routers: Partial<VirtualRouter>;
  readonly notify: Partial<NotifyScripts>;
  readonly delivery: DeliveryDefaults;
  readonly pause: Pause;
  /** Before the dot in the name of a virtual MAC's device. */
  readonly virtualMacPrefix: string;
};

export function readVrrpDefaults(last: Last, device: string): VrrpDefaults {
  const timer = (name: string): Micros | undefined => last((block) => timerOf(block, name));
  return {
    device,
    routers: { ...readGlobals(routerRows, last), announce: readGlobalAnnounce(last) },
    notify: readGlobals(notifyRows, last),
    delivery: {
      group4: last((block) => addressOf(block, 'vrrp_mcast_group4')) ?? defaultGroup4,
      group6: last((block) => addressOf(block, 'vrrp_mcast_group6')) ?? defaultGroup6,
      checksUnicastSource: last((block) => flagOf(block, 'vrrp_check_unicast_src')) ?? false,
    },
    pause: {
      arp: timer('vrrp_garp_interval') ?? micros(0),
      na: timer('vrrp_gna_interval') ?? micros(0),
    },
    virtualMacPrefix: last((block) => textOf(block, 'vmac_prefix')) ?? 'uvs',
  };
}
