// What global_defs { } says about scripts, FIFOs and dumps: who may run programs, who is told, and where USR1 and USR2
// write.

import { type FailoverConfig, type Fifo, noFailover } from '../../model/failover-config.js';
import type { Word } from '../lexer.js';
import { readAccount, script as scriptNotation } from '../notations.js';
import { type Last, writtenAs } from '../row.js';
import { settingOf } from '../tree.js';
import { flagOf, textOf } from './settings.js';

export type EventSettings = Pick<FailoverConfig, 'fifos' | 'scriptPolicy' | 'writesStatesOnReload' | 'dumps'>;

export function readEventSettings(last: Last): EventSettings {
  const path = (keyword: string) => last((block) => textOf(block, keyword));
  const words = (keyword: string) => last((block) => settingOf(block, keyword)?.arguments);
  const [user, group] = words('script_user') ?? [];
  const usual = noFailover.dumps;
  return {
    fifos: (['all', 'vrrp', 'lvs'] as const).flatMap((hears) => readFifo(hears, words, last) ?? []),
    scriptPolicy: {
      account: readAccount(user, group),
      isSecure: last((block) => flagOf(block, 'enable_script_security')) ?? false,
    },
    writesStatesOnReload: last((block) => flagOf(block, 'fifo_write_vrrp_states_on_reload')) ?? false,
    dumps: {
      data: path('state_dump_file') ?? usual.data,
      stats: path('stats_dump_file') ?? usual.stats,
      json: path('json_dump_file') ?? usual.json,
    },
  };
}

function readFifo(
  hears: Fifo['hears'],
  words: (keyword: string) => readonly Word[] | undefined,
  last: Last,
): Fifo | undefined {
  const keyword = hears === 'all' ? 'notify_fifo' : `${hears}_notify_fifo`;
  const [path, user, group] = words(keyword) ?? [];
  if (path === undefined) return undefined;
  const script = last(writtenAs(`${keyword}_script`, scriptNotation).written);
  return { hears, path: path.text, account: readAccount(user, group), script };
}
