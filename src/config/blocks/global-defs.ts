// global_defs { }: the settings that have an effect, and the defaults that other blocks take from here.

import type { GlobalConfig } from '../../model/director-config.js';
import { type Block, settingOf } from '../tree.js';
import { readInteger } from '../values.js';
import { flagOf, textOf } from './settings.js';

/** What global_defs says about other blocks. */
export type GlobalDefaults = {
  /** For addresses without `dev`. */
  readonly interface: string;
  readonly logAllFailures: boolean;
};

/** Several global_defs add up; the last word counts. */
export function readGlobalDefs(blocks: readonly Block[]): { global: GlobalConfig; defaults: GlobalDefaults } {
  const last = <T>(read: (block: Block) => T | undefined): T | undefined =>
    blocks.reduce<T | undefined>((found, block) => read(block) ?? found, undefined);
  const timeout = (protocol: string) => last((block) => timeoutOf(block, protocol));
  return {
    global: {
      routerId: last((block) => textOf(block, 'router_id')),
      tcpTimeout_s: timeout('tcp'),
      tcpFinTimeout_s: timeout('tcpfin'),
      udpTimeout_s: timeout('udp'),
    },
    defaults: {
      interface: last((block) => textOf(block, 'default_interface')) ?? 'eth0',
      logAllFailures: last((block) => flagOf(block, 'checker_log_all_failures')) ?? false,
    },
  };
}

/** `lvs_timeouts tcp N tcpfin N udp N`. */
function timeoutOf(block: Block, protocol: string): number | undefined {
  const words = settingOf(block, 'lvs_timeouts')?.arguments.map((word) => word.text) ?? [];
  const at = words.indexOf(protocol);
  return at < 0 ? undefined : readInteger(words[at + 1] ?? '');
}
