// Everything of failover in the tree: scripts and files first, for instances name them, then instances, then groups,
// which name instances; at last what only shows when all are known.

import type { FailoverConfig, GroupConfig, TrackFile } from '../../model/failover-config.js';
import type { TrackScript } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import type { Block, Statement } from '../tree.js';
import type { GlobalDefaults } from './global-defs.js';
import { readTrackFile, readTrackScript } from './track-script.js';
import type { Trackable, Trackables } from './tracks.js';
import { nameVirtualMacs, type ReadRouter } from './virtual-mac.js';
import { readVrrpInstance } from './vrrp-instance.js';
import { readSyncGroup } from './vrrp-sync-group.js';

/** Yields between instances. */
export function* readFailover(
  root: Block,
  { vrrp: defaults, events }: GlobalDefaults,
  report: Report,
): Generator<void, FailoverConfig> {
  const blocks = (name: string): Statement[] => uniqueBlocks(root, name, report);
  const scripts = new Map<string, Trackable | undefined>();
  const trackScripts: TrackScript[] = [];
  for (const statement of blocks('vrrp_script')) {
    const read = readTrackScript(statement, report);
    scripts.set(statement.arguments[0]?.text ?? '', read?.trackable);
    if (read !== undefined) trackScripts.push(read.script);
  }
  const files = new Map<string, TrackFile | undefined>();
  for (const statement of blocks('track_file')) {
    files.set(statement.arguments[0]?.text ?? '', readTrackFile(statement, report));
  }
  const known: Trackables = { scripts, files };
  const routers: ReadRouter[] = [];
  const instances = blocks('vrrp_instance');
  for (const statement of instances) {
    if (report.isFull()) break;
    const router = yield* readVrrpInstance(statement, defaults, known, report);
    if (router !== undefined) routers.push({ statement, config: router });
    yield;
  }
  reportSameRouters(routers, report);
  const around = {
    routerNames: new Set(instances.map((statement) => statement.arguments[0]?.text ?? '')),
    grouped: new Map<string, Word>(),
    known,
    tellsPriority: defaults.tellsPriority,
  };
  const groups: GroupConfig[] = [];
  for (const statement of blocks('vrrp_sync_group')) {
    const group = readSyncGroup(statement, around, report);
    if (group !== undefined) groups.push(group);
  }
  const configs = nameVirtualMacs(routers, defaults.virtualMacPrefix, report);
  const trackFiles = [...files.values()].filter((file) => file !== undefined);
  return { ...events, routers: configs, groups, scripts: trackScripts, files: trackFiles };
}

/** Two virtual routers with one VRID on one wire would take each other's adverts for their own. */
function reportSameRouters(routers: readonly ReadRouter[], report: Report): void {
  const seen = new Map<string, ReadRouter>();
  for (const read of routers) {
    const { device, family, virtualRouterId, name } = read.config.router;
    const key = `${family} ${virtualRouterId} ${device}`;
    const before = seen.get(key);
    if (before === undefined) {
      seen.set(key, read);
      continue;
    }
    const other = `${before.config.router.name} of line ${before.statement.keyword.line}`;
    const message = `${name} and ${other} have one virtual_router_id (${virtualRouterId}) on ${device} for IPv${family}`;
    report.add(
      'duplicate-router',
      read.statement.keyword,
      message,
      'give one of them another virtual_router_id',
    );
  }
}

/** Blocks of one kind have names of their own. */
function uniqueBlocks(root: Block, kind: string, report: Report): Statement[] {
  const seen = new Map<string, Word>();
  return root.repeated.filter(({ shape, keyword, arguments: [name] }) => {
    if (shape.name !== kind || name === undefined) return false;
    const before = seen.get(name.text);
    if (before === undefined) {
      seen.set(name.text, keyword);
      return true;
    }
    const message = `${kind} ${name.text} stands in line ${before.line} already`;
    report.add('duplicate-name', name, message, 'give one of them another name');
    return false;
  });
}
