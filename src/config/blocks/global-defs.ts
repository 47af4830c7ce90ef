// global_defs { }: the settings that have an effect, and what other blocks take from here where they are silent.

import type { GlobalConfig } from '../../model/director-config.js';
import type { NotifyScripts, Pause } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import { type Inherited, scheduleRows } from '../checkers/checker.js';
import { readGlobals, readRows } from '../row.js';
import { readGlobalAnnounce } from '../rows/announce.js';
import { pauseRows } from '../rows/announce-pacing.js';
import { deliveryRows, type EventSettings, eventRows, globalRows, nameRows } from '../rows/global-defs.js';
import { notifyRows } from '../rows/notify.js';
import { routerRows } from '../rows/vrrp-instance.js';
import { type Block, createBlock, putSetting } from '../tree.js';
import type { DeliveryDefaults } from './router-delivery.js';

/** What global_defs says about other blocks. */
export type GlobalDefaults = {
  /** For addresses without `dev`. */
  readonly interface: string;
  readonly checks: Inherited;
  readonly vrrp: VrrpDefaults;
  readonly events: EventSettings;
};

export type VrrpDefaults = {
  readonly device: string;
  readonly routers: Partial<VirtualRouter>;
  readonly notify: Partial<NotifyScripts>;
  readonly delivery: DeliveryDefaults;
  readonly pause: Pause;
  /** Before the dot in the name of a virtual MAC's device. */
  readonly virtualMacPrefix: string;
};

export function readGlobalDefs(blocks: readonly Block[]): { global: GlobalConfig; defaults: GlobalDefaults } {
  const block = joined(blocks);
  const { device, virtualMacPrefix } = readRows(nameRows, block, undefined);
  return {
    global: readRows(globalRows, block, undefined),
    defaults: {
      interface: device,
      checks: readGlobals(scheduleRows, block),
      vrrp: {
        device,
        routers: { ...readGlobals(routerRows, block), announce: readGlobalAnnounce(block) },
        notify: readGlobals(notifyRows, block),
        delivery: readRows(deliveryRows, block, undefined),
        pause: readRows(pauseRows, block, undefined),
        virtualMacPrefix,
      },
      events: readRows(eventRows, block, undefined),
    },
  };
}

/** Several global_defs add up; the last word counts. */
function joined(blocks: readonly Block[]): Block {
  const all = createBlock();
  for (const { settings, repeated } of blocks) {
    for (const statement of settings) putSetting(all, statement);
    all.repeated.push(...repeated);
  }
  return all;
}
