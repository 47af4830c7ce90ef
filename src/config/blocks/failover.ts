// Everything of failover in the tree: scripts and files first, for instances name them, then instances, then groups,
// which name instances; at last what only shows when all are known.

import type { StaticAddress } from '../../model/director-config.js';
import type { FailoverConfig, GroupConfig } from '../../model/failover-config.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import type { Block, Statement } from '../tree.js';
import { readPacingGroups } from './announce-pacing.js';
import {
  asMember,
  checkGroup,
  checkRouter,
  createChecks,
  reportMissingScriptUser,
  reportUntracked,
} from './failover-checks.js';
import type { GlobalDefaults } from './global-defs.js';
import { type ReadTracked, readTrackFile, readTrackScript } from './track-script.js';
import type { Trackables } from './tracks.js';
import { nameVirtualMacs, type ReadRouter } from './virtual-mac.js';
import { readVrrpInstance } from './vrrp-instance.js';
import { type GroupSurroundings, readSyncGroup } from './vrrp-sync-group.js';

/** Yields between instances. */
export function readFailover(
  root: Block,
  { vrrp: defaults, events }: GlobalDefaults,
  staticAddresses: readonly StaticAddress[],
  report: Report,
): FailoverConfig {
  const blocks = (name: string): Statement[] => uniqueBlocks(root, name, report);
  const scripts = blocks('vrrp_script').map((statement) => readTrackScript(statement, report));
  const files = blocks('track_file').map((statement) => readTrackFile(statement, report));
  const known: Trackables = { scripts: byName(scripts), files: byName(files) };
  const checks = createChecks(staticAddresses, report);
  const routers: ReadRouter[] = [];
  const instances = blocks('vrrp_instance');
  for (const statement of instances) {
    if (report.isFull()) break;
    const config = readVrrpInstance(statement, defaults, known, report);
    if (config === undefined) continue;
    const read = { statement, config };
    routers.push(read);
    checkRouter(checks, read);
  }
  const around: GroupSurroundings = {
    routerNames: new Set(instances.map(nameOf)),
    grouped: new Map(),
    known,
    notify: defaults.notify,
  };
  const groups: GroupConfig[] = [];
  for (const statement of blocks('vrrp_sync_group')) {
    if (report.isFull()) break;
    const group = readSyncGroup(statement, around, report);
    if (group === undefined) continue;
    groups.push(group);
    checkGroup(checks, group, statement.keyword);
  }
  reportMissingScriptUser(root, events.scriptPolicy.account !== undefined, report);
  const named = nameVirtualMacs(routers, defaults.virtualMacPrefix, report);
  return {
    ...events,
    routers: named.map((config) => asMember(config, checks)),
    groups,
    scripts: trackedOf(scripts, checks.tracked.script, report),
    files: trackedOf(files, checks.tracked.file, report),
    pacing: { ...defaults.pause, groups: readPacingGroups(root, report) },
  };
}

function nameOf({ arguments: [name] }: Statement): string {
  return name?.text ?? '';
}

function byName(read: readonly ReadTracked<unknown>[]): Trackables['scripts'] {
  return new Map(read.map(({ statement, trackable }) => [nameOf(statement), { statement, trackable }]));
}

/** Those that somebody tracks. */
function trackedOf<T>(read: readonly ReadTracked<T>[], names: ReadonlySet<string>, report: Report): T[] {
  return read.flatMap(({ statement, thing }) => {
    if (thing === undefined) return [];
    if (names.has(nameOf(statement))) return [thing];
    reportUntracked(statement, report);
    return [];
  });
}

/** Blocks of one kind have names of their own; of scripts and files keepalived takes the first. */
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
    const help = 'give one of them another name';
    if (kind === 'vrrp_script' || kind === 'track_file') {
      report.add('duplicate-name', name, `${message}: that one counts`, help, 'warning');
    } else {
      report.add('duplicate-name', name, message, help);
    }
    return false;
  });
}
