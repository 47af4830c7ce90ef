// What global_defs says of the whole director and of failover, one row a field. What it says for settings of other blocks
// stands in their rows, as `global`.

import type { GlobalConfig } from '../../model/director-config.js';
import {
  type FailoverConfig,
  type Fifo,
  noFailover,
  type ScriptPolicy,
} from '../../model/failover-config.js';
import { type DeliveryDefaults, defaultGroup4, defaultGroup6 } from '../blocks/router-delivery.js';
import { accountText, ip, type Notation, on, readAccount, script, text, userAndGroup } from '../notations.js';
import { setting as lines, word } from '../print-words.js';
import { lineOf, nested, optional, own, type Table, unwritten, writtenAs } from '../row.js';
import { argumentsOf, keyword, one, type Shapes } from '../shapes.js';
import type { Block } from '../tree.js';
import { account, anyWord, deviceName, integer, multicastGroup, readInteger } from '../values.js';

const seconds = integer(1, 2_147_483);

/** `lvs_timeouts tcp N tcpfin N udp N`, each of them or some; several add up. */
const timeouts = keyword(
  (words, at, report) => {
    if (words.length === 0)
      report.add('missing-value', at, `${at.text} needs tcp, tcpfin or udp with seconds`);
    argumentsOf({ options: { tcp: [seconds], tcpfin: [seconds], udp: [seconds] } })(words, at, report);
  },
  { repeats: true },
);

function timeoutOf(block: Block, protocol: string): number | undefined {
  let found: number | undefined;
  for (const { shape, arguments: words } of block.repeated) {
    if (shape.name !== 'lvs_timeouts') continue;
    const at = words.findIndex((option) => option.text === protocol);
    if (at >= 0) found = readInteger(words[at + 1]?.text ?? '');
  }
  return found;
}

export const globalRows: Table<GlobalConfig, unknown> = {
  routerId: optional('router_id', text()),
  tcpTimeout_s: {
    shapes: { lvs_timeouts: timeouts },
    read: (block) => timeoutOf(block, 'tcp'),
    print: (tcp, { tcpFinTimeout_s, udpTimeout_s }) => {
      const options = [
        ...lines('tcp', tcp),
        ...lines('tcpfin', tcpFinTimeout_s),
        ...lines('udp', udpTimeout_s),
      ];
      return options.length === 0 ? [] : [`lvs_timeouts ${options.join(' ')}`];
    },
  },
  tcpFinTimeout_s: unwritten((block) => timeoutOf(block, 'tcpfin')),
  udpTimeout_s: unwritten((block) => timeoutOf(block, 'udp')),
};

const hearers = ['all', 'vrrp', 'lvs'] as const;

/** `PATH [USER [GROUP]]`. */
const pathAndOwner: Notation<Pick<Fifo, 'path' | 'account'>> = {
  shape: keyword(argumentsOf({ required: [anyWord], optional: [account, account] }), { firstCounts: true }),
  read: ({ arguments: [path, user, group] }) =>
    path && { path: path.text, account: readAccount(user, group) },
  write: (fifo) => [word(fifo.path), ...lines('', accountText(fifo.account))].join(''),
};

function fifoKeyword(hears: Fifo['hears']): string {
  return hears === 'all' ? 'notify_fifo' : `${hears}_notify_fifo`;
}

const fifoShapes: Shapes = Object.fromEntries(
  hearers.flatMap((hears) => [
    [fifoKeyword(hears), pathAndOwner.shape],
    [`${fifoKeyword(hears)}_script`, script.shape],
  ]),
);

function readFifo(block: Block, hears: Fifo['hears']): Fifo | undefined {
  const name = fifoKeyword(hears);
  const fifo = writtenAs(name, pathAndOwner).written(block);
  return fifo && { hears, ...fifo, script: writtenAs(`${name}_script`, script).written(block) };
}

function fifoLines(fifo: Fifo): string[] {
  const name = fifoKeyword(fifo.hears);
  return [
    ...lineOf(name, pathAndOwner, fifo),
    ...(fifo.script === undefined ? [] : lineOf(`${name}_script`, script, fifo.script)),
  ];
}

const scriptPolicyRows: Table<ScriptPolicy, unknown> = {
  account: optional('script_user', userAndGroup),
  isSecure: own('enable_script_security', on, () => false),
};

const dumpRows: Table<FailoverConfig['dumps'], unknown> = {
  data: own('state_dump_file', text(), () => noFailover.dumps.data),
  stats: own('stats_dump_file', text(), () => noFailover.dumps.stats),
  json: own('json_dump_file', text(), () => noFailover.dumps.json),
};

/** Who may run programs, who is told, and where USR1 and USR2 write. */
export type EventSettings = Pick<FailoverConfig, 'scriptPolicy' | 'fifos' | 'writesStatesOnReload' | 'dumps'>;

export const eventRows: Table<EventSettings, unknown> = {
  scriptPolicy: nested(scriptPolicyRows),
  fifos: {
    shapes: fifoShapes,
    read: (block) => hearers.flatMap((hears) => readFifo(block, hears) ?? []),
    print: (fifos) => fifos.flatMap(fifoLines),
  },
  writesStatesOnReload: own('fifo_write_vrrp_states_on_reload', on, () => false),
  dumps: nested(dumpRows),
};

/** What is not printed, for whatever is named by it is: devices of addresses and instances, those of virtual MACs. */
export const nameRows: Table<{ readonly device: string; readonly virtualMacPrefix: string }, unknown> = {
  device: own('default_interface', text(deviceName), () => 'eth0'),
  virtualMacPrefix: own('vmac_prefix', text(), () => 'uvs'),
};

/** Not printed, either: an instance has it. */
export const deliveryRows: Table<DeliveryDefaults, unknown> = {
  group4: own('vrrp_mcast_group4', { ...ip, shape: one(multicastGroup(4)) }, () => defaultGroup4),
  group6: own('vrrp_mcast_group6', { ...ip, shape: one(multicastGroup(6)) }, () => defaultGroup6),
  checksUnicastSource: own('vrrp_check_unicast_src', on, () => false),
};
