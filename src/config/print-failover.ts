// FailoverConfig to text in keepalived's form. Whatever an instance has is written in the instance, also where uvs and
// keepalived differ in what stands for nothing: the text means the same to both.

import type {
  FailoverConfig,
  GroupConfig,
  Pacing,
  RouterConfig,
  TrackFile,
} from '../model/failover-config.js';
import type { TrackScript, VirtualRouter } from '../model/virtual-router.js';
import { type Lines, secondsUnless, setting, word } from './print-words.js';
import { printRows } from './row.js';
import { pacingRows, pauseRows } from './rows/announce-pacing.js';
import { eventRows } from './rows/global-defs.js';
import { notifyRows } from './rows/notify.js';
import { fileRows, scriptRows } from './rows/tracked.js';
import { routerRows } from './rows/vrrp-instance.js';
import { groupRows } from './rows/vrrp-sync-group.js';

type NamedLines = [string, Lines];

/** What stands in global_defs. */
export function failoverGlobalLines(failover: FailoverConfig): Lines {
  const [any] = failover.routers;
  return [
    ...setting('vrrp_startup_delay', secondsUnless(any?.router.startupDelay ?? zero, 0)),
    ...printRows(pauseRows, failover.pacing, undefined),
    ...printRows(eventRows, failover, undefined),
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

function scriptBlock(script: TrackScript): NamedLines {
  return [`vrrp_script ${word(script.name)}`, printRows(scriptRows, script, undefined)];
}

function fileBlock(file: TrackFile): NamedLines {
  return [`track_file ${word(file.name)}`, printRows(fileRows, file, undefined)];
}

function pacingBlock(group: Pacing['groups'][number]): NamedLines {
  return ['garp_group', printRows(pacingRows, group, undefined)];
}

function groupBlock({ group, notify }: GroupConfig): NamedLines {
  return [
    `vrrp_sync_group ${word(group.name)}`,
    [...printRows(groupRows, group, undefined), ...printRows(notifyRows, notify, silent)],
  ];
}

function routerBlock({ router, notify }: RouterConfig): NamedLines {
  const lines = [...printRows(routerRows, router, silent), ...printRows(notifyRows, notify, silent)];
  return [`vrrp_instance ${word(router.name)}`, lines];
}

/** Nothing is said above an instance: whatever it has is written in it. */
const silent = { inherited: {} };
