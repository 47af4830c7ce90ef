// What only shows when all of failover is known: virtual routers that get in each other's way, scripts that nobody
// tracks, and scripts for which nobody is named.

import { type IpAddress, isLinkLocal } from '../../model/address.js';
import type { StaticAddress } from '../../model/director-config.js';
import type { GroupConfig, RouterConfig } from '../../model/failover-config.js';
import type { SyncGroup, Track, VirtualRouter } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { type Block, type Statement, settingOf } from '../tree.js';
import type { ReadRouter } from './virtual-mac.js';

/** What has been seen so far. */
export type FailoverChecks = {
  readonly report: Report;
  /** By family, VRID and device. */
  readonly routers: Map<string, ReadRouter>;
  /** Addresses of `static_ipaddress` (as placeOf() names them) with their lines, and who else has which. */
  readonly fixed: ReadonlyMap<string, number>;
  readonly holders: Map<string, string>;
  readonly members: Map<string, VirtualRouter>;
  /** Virtual routers that begin as BACKUP because others of their group do. */
  readonly backups: Set<string>;
  /** Those that tell their priority because their group says so. */
  readonly tellers: Set<string>;
  readonly tracked: { readonly script: Set<string>; readonly file: Set<string> };
};

export function createChecks(staticAddresses: readonly StaticAddress[], report: Report): FailoverChecks {
  return {
    report,
    routers: new Map(),
    fixed: new Map(staticAddresses.map((entry) => [placeOf(entry), entry.origin.line])),
    holders: new Map(),
    members: new Map(),
    backups: new Set(),
    tellers: new Set(),
    tracked: { script: new Set(), file: new Set() },
  };
}

/** Yields between some hundreds of addresses. */
export function checkRouter(checks: FailoverChecks, read: ReadRouter): void {
  const { router } = read.config;
  checks.members.set(router.name, router);
  noteTracks(checks, router.tracks);
  checkRouterId(checks, read);
  const place = read.statement.keyword;
  for (const list of [router.addresses, router.excludedAddresses]) {
    for (const { address, device } of list) {
      checkAddress(checks, { address, device: device ?? router.device }, router.name, place);
    }
  }
}

function noteTracks({ tracked }: FailoverChecks, tracks: readonly Track[]): void {
  for (const { kind, name } of tracks) if (kind !== 'interface') tracked[kind].add(name);
}

/** Two virtual routers with one VRID on one wire would take each other's adverts for their own. */
function checkRouterId({ routers, report }: FailoverChecks, read: ReadRouter): void {
  const { device, family, virtualRouterId, name } = read.config.router;
  const key = `${family} ${virtualRouterId} ${device}`;
  const before = routers.get(key);
  if (before === undefined) {
    routers.set(key, read);
    return;
  }
  const other = `${before.config.router.name} of line ${before.statement.keyword.line}`;
  const message = `${name} and ${other} have one virtual_router_id (${virtualRouterId}) on ${device} for IPv${family}`;
  const help = 'give one of them another virtual_router_id';
  report.add('duplicate-router', read.statement.keyword, message, help);
}

type PlacedAddress = { readonly address: IpAddress; readonly device: string };

/** Link-local addresses are of one device: another has its own of the same name, as gateways of several networks do. */
function placeOf({ address, device }: PlacedAddress): string {
  return isLinkLocal(address) ? `${address}%${device}` : address;
}

/** An address moves with one virtual router. */
function checkAddress(
  { fixed, holders, report }: FailoverChecks,
  placed: PlacedAddress,
  router: string,
  place: Word,
): void {
  const { address } = placed;
  const key = placeOf(placed);
  const holder = holders.get(key);
  const line = fixed.get(key);
  if (holder !== undefined && holder !== router) {
    const message = `${address} is an address of ${holder}, too: whoever of the two gives up takes it from the other`;
    report.add('duplicate-address', place, message, 'remove it from one of them');
  } else if (line !== undefined) {
    const message = `${address} stands in static_ipaddress (line ${line}): it would never leave this machine`;
    report.add('duplicate-address', place, message, 'remove it from static_ipaddress');
  }
  holders.set(key, router);
}

export function checkGroup(checks: FailoverChecks, { group, notify }: GroupConfig, place: Word): void {
  if (notify.notifiesPriority) for (const name of group.members) checks.tellers.add(name);
  noteTracks(checks, group.tracks);
  const members = group.members.flatMap((name) => checks.members.get(name) ?? []);
  checkOwners(checks, members, place);
  checkStates(checks, members, place);
  checkWeights(checks, members, group, place);
}

/** Owners never give way, so a group that has some and others than owners comes to no common state. */
function checkOwners({ report }: FailoverChecks, members: readonly VirtualRouter[], place: Word): void {
  const owners = members.filter(({ priority }) => priority === 255);
  if (owners.length === 0 || owners.length === members.length) return;
  const message = `${owners[0]?.name} owns its addresses (priority 255) and others of the group do not: they cannot move together`;
  report.add('mixed-owners', place, message, 'write priorities below 255 for all of them');
}

/** As in keepalived, a group begins as BACKUP when one of its members does. */
function checkStates(checks: FailoverChecks, members: readonly VirtualRouter[], place: Word): void {
  const masters = members.filter(({ startState }) => startState === 'master');
  const backup = members.find(({ startState }) => startState === 'backup');
  if (masters.length === 0 || backup === undefined) return;
  for (const { name } of masters) checks.backups.add(name);
  const message = `${masters[0]?.name} has state MASTER and ${backup.name} of its group BACKUP: all begin as BACKUP`;
  checks.report.add('mixed-states', place, message, 'write one state for all of them');
}

/** As in keepalived: a weight that moves one member alone would move nothing, or part of the group. */
function checkWeights(
  { report }: FailoverChecks,
  members: readonly VirtualRouter[],
  { name, hasMemberWeights }: SyncGroup,
  place: Word,
): void {
  if (hasMemberWeights) return;
  for (const member of members) {
    const weighted = member.tracks.find(({ weight }) => weight !== 0);
    if (weighted === undefined) continue;
    const message = `${member.name} tracks ${weighted.name} with a weight, which is left out in the sync group ${name}`;
    const help = `track it in vrrp_sync_group ${name}, where a weight moves all members, or without a weight, as a fault`;
    report.add('no-effect', place, message, help);
    return;
  }
}

/** The virtual router with what its group makes of it. */
export function asMember(config: RouterConfig, { backups, tellers }: FailoverChecks): RouterConfig {
  const { router, notify } = config;
  return {
    ...config,
    router: backups.has(router.name) ? { ...router, startState: 'backup' } : router,
    notify: tellers.has(router.name) ? { ...notify, notifiesPriority: true } : notify,
  };
}

/** As in keepalived, what nobody tracks is left out. */
export function reportUntracked(statement: Statement, report: Report): void {
  if (report.hasErrors()) return;
  const { keyword, shape } = statement;
  const name = statement.arguments[0]?.text;
  const list = shape.name === 'track_file' ? 'track_file' : 'track_script';
  const message = `nobody tracks ${name}: it is left out`;
  report.add('no-effect', keyword, message, `name it in ${list} { } of an instance or a group`);
}

/** Scripts without a user, while script_user is not there either: said once, at the first. */
export function reportMissingScriptUser(root: Block, hasScriptUser: boolean, report: Report): void {
  if (hasScriptUser || report.hasErrors()) return;
  for (const { shape, block } of root.repeated) {
    const place = block === undefined ? undefined : scriptWithoutUser(shape.name, block);
    if (place === undefined) continue;
    const message =
      'nobody is named to run scripts: keepalived_script runs them where that account exists, else root those that root alone can change; the rest is not run';
    const help = 'write script_user NAME into global_defs; check --here says what that means on this machine';
    report.add('no-script-user', place, message, help);
    return;
  }
}

/** The keyword of the first script in the block for which the block names no user. */
function scriptWithoutUser(kind: string, block: Block): Word | undefined {
  if (kind === 'vrrp_script') {
    return settingOf(block, 'user') === undefined ? settingOf(block, 'script')?.keyword : undefined;
  }
  if (kind !== 'vrrp_instance' && kind !== 'vrrp_sync_group' && kind !== 'global_defs') return undefined;
  return block.settings.find(
    ({ shape, arguments: words }) => isScript(kind, shape.name) && words.length === 1,
  )?.keyword;
}

function isScript(kind: string, keyword: string): boolean {
  if (kind === 'global_defs') return keyword.endsWith('notify_fifo_script');
  return keyword.startsWith('notify') && keyword !== 'notify_priority_changes';
}
