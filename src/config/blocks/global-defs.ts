// global_defs { }: the settings that have an effect, and the defaults that other blocks take from here.

import type { GlobalConfig } from '../../model/director-config.js';
import { type Inherited, scheduleRows } from '../checkers/checker.js';
import { type Last, readGlobals } from '../row.js';
import { type Block, settingOf } from '../tree.js';
import { readInteger } from '../values.js';
import { type EventSettings, readEventSettings } from './events.js';
import { textOf } from './settings.js';
import { readVrrpDefaults, type VrrpDefaults } from './vrrp-defaults.js';

/** What global_defs says about other blocks. */
export type GlobalDefaults = {
  /** For addresses without `dev`. */
  readonly interface: string;
  readonly checks: Inherited;
  readonly vrrp: VrrpDefaults;
  readonly events: EventSettings;
};

/** Several global_defs add up; the last word counts. */
export function readGlobalDefs(blocks: readonly Block[]): { global: GlobalConfig; defaults: GlobalDefaults } {
  const last: Last = (read) =>
    blocks.reduce<ReturnType<typeof read>>((found, block) => read(block) ?? found, undefined);
  const device = last((block) => textOf(block, 'default_interface')) ?? 'eth0';
  const timeout = (protocol: string) => last((block) => timeoutOf(block, protocol));
  return {
    global: {
      routerId: last((block) => textOf(block, 'router_id')),
      tcpTimeout_s: timeout('tcp'),
      tcpFinTimeout_s: timeout('tcpfin'),
      udpTimeout_s: timeout('udp'),
    },
    defaults: {
      interface: device,
      checks: readGlobals(scheduleRows, last),
      vrrp: readVrrpDefaults(last, device),
      events: readEventSettings(last),
    },
  };
}

/** `lvs_timeouts tcp N tcpfin N udp N`. */
function timeoutOf(block: Block, protocol: string): number | undefined {
  const words = settingOf(block, 'lvs_timeouts')?.arguments.map((word) => word.text) ?? [];
  const at = words.indexOf(protocol);
  return at < 0 ? undefined : readInteger(words[at + 1] ?? '');
}
