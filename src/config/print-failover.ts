// FailoverConfig to text in keepalived's form. Whatever an instance has is written in the instance, also where uvs and
// keepalived differ in what stands for nothing: the text means the same to both.

import type {
  FailoverConfig,
  Fifo,
  GroupConfig,
  Pacing,
  RouterConfig,
  TrackFile,
} from '../model/failover-config.js';
import { noFailover } from '../model/failover-config.js';
import type { TrackScript, VirtualRouter } from '../model/virtual-router.js';
import { trackLines } from './blocks/tracks.js';
import { commandText } from './command-line.js';
import { accountText, script as scriptNotation } from './notations.js';
import { flag, type Lines, secondsText, secondsUnless, setting, unless, word } from './print-words.js';
import { lineOf, printRows } from './row.js';
import { notifyRows } from './rows/notify.js';
import { routerRows } from './rows/vrrp-instance.js';

type NamedLines = [string, Lines];

/** What stands in global_defs. */
export function failoverGlobalLines(failover: FailoverConfig): Lines {
  const { routers, dumps, pacing, scriptPolicy } = failover;
  const [any] = routers;
  return [
    ...setting('vrrp_startup_delay', secondsUnless(any?.router.startupDelay ?? zero, 0)),
    ...setting('vrrp_garp_interval', secondsUnless(pacing.arp, 0)),
    ...setting('vrrp_gna_interval', secondsUnless(pacing.na, 0)),
    ...setting('script_user', accountText(scriptPolicy.account)),
    ...flag('enable_script_security', scriptPolicy.isSecure),
    ...failover.fifos.flatMap(fifoLines),
    ...flag('fifo_write_vrrp_states_on_reload', failover.writesStatesOnReload),
    ...setting('state_dump_file', word(unless(dumps.data, noFailover.dumps.data))),
    ...setting('stats_dump_file', word(unless(dumps.stats, noFailover.dumps.stats))),
    ...setting('json_dump_file', word(unless(dumps.json, noFailover.dumps.json))),
  ];
}

const zero = 0 as VirtualRouter['startupDelay'];

/** Blocks outside all others: scripts and files before those who name them. */
export function failoverBlocks(failover: FailoverConfig): NamedLines[] {
  return [
    ...failover.scripts.map(scriptBlock),
    ...failover.files.map(fileBlock),
    ...failover.pacing.groups.map(pacingBlock),
    ...failover.groups.map(groupBlock),
    ...failover.routers.map(routerBlock),
  ];
}

function fifoLines({ hears, path, account, script }: Fifo): string[] {
  const name = hears === 'all' ? 'notify_fifo' : `${hears}_notify_fifo`;
  return [
    `${name} ${[word(path), ...setting('', accountText(account))].join('')}`,
    ...(script === undefined ? [] : lineOf(`${name}_script`, scriptNotation, script)),
  ];
}

function scriptBlock(script: TrackScript): NamedLines {
  return [
    `vrrp_script ${word(script.name)}`,
    [
      `script ${word(commandText(script.command))}`,
      `interval ${secondsText(script.interval)}`,
      ...setting('timeout', secondsUnless(script.timeout, script.interval)),
      ...setting('rise', unless(script.rise, 1)),
      ...setting('fall', unless(script.fall, 1)),
      ...setting('user', accountText(script.account)),
      ...flag('init_fail', script.failsAtStart),
    ],
  ];
}

function pacingBlock({ devices, arp, na }: Pacing['groups'][number]): NamedLines {
  const lines = [`garp_interval ${secondsText(arp)}`, `gna_interval ${secondsText(na)}`];
  return ['garp_group', [...lines, ['interfaces', devices.map(word)]]];
}

function fileBlock(file: TrackFile): NamedLines {
  const initial = [...setting('', file.initial), ...flag('overwrite', file.overwrites)];
  return [
    `track_file ${word(file.name)}`,
    [
      `file ${word(file.path)}`,
      `weight ${file.weight}${file.isReversed ? ' reverse' : ''}`,
      ...(file.initial === undefined ? [] : [`init_file ${initial.map((text) => text.trim()).join(' ')}`]),
    ],
  ];
}

function groupBlock({ group, notify }: GroupConfig): NamedLines {
  return [
    `vrrp_sync_group ${word(group.name)}`,
    [
      ['group', group.members.map((name) => word(name))],
      ...(group.hasMemberWeights ? ['sync_group_tracking_weight'] : []),
      ...trackLines(group.tracks),
      ...printRows(notifyRows, notify, silent),
    ],
  ];
}

function routerBlock({ router, notify }: RouterConfig): NamedLines {
  const lines = [...printRows(routerRows, router, silent), ...printRows(notifyRows, notify, silent)];
  return [`vrrp_instance ${word(router.name)}`, lines];
}

/** Nothing is said above an instance: whatever it has is written in it. */
const silent = { inherited: {} };
