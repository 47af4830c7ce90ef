// What a configuration needs of this machine: its devices are there, and its scripts have somebody to run as. `doctor`,
// `check --here` and the start say it.

import type { DirectorConfig } from '../model/director-config.js';
import { nearest } from '../model/nearest.js';
import { byAccount, defectsOf, scriptOutlooks } from '../runtime/scripts/script-outlook.js';
import { type Check, error, type Finding, ok, warning } from './finding.js';
import { checkFirewall } from './firewall.js';
import type { Machine } from './machine.js';

export const configChecks: readonly Check[] = [checkDevices, checkScripts, checkRules];

/** All that depends on the configuration alone, and on this machine. */
export function examineConfig(machine: Machine, config: DirectorConfig): readonly Finding[] {
  return configChecks.flatMap((check) => check(machine, { config, isDirectorRunning: false }));
}

/** So many of a machine's devices are named where none is near. */
const shownDevices = 8;

function checkDevices(
  machine: Machine,
  { config }: { readonly config: DirectorConfig | undefined },
): Finding[] {
  if (config === undefined) return [];
  const users = usersOfDevices(config);
  if (users.size === 0) return [];
  const here = machine.list('/sys/class/net').filter((name) => !/^uvs\d*$/.test(name));
  const missing = [...users].filter(([device]) => !here.includes(device));
  if (missing.length === 0) {
    return [ok('devices', `the configuration's devices are here: ${[...users.keys()].join(', ')}`)];
  }
  const others = here.filter((name) => name !== 'lo');
  const rest = others.length > shownDevices ? ', …' : '';
  const list = `${others.slice(0, shownDevices).join(', ') || 'lo alone'}${rest}`;
  return missing.map(([device, user]) => {
    const near = nearest(device, others) ?? (others.length === 1 ? others[0] : undefined);
    const advice = near === undefined ? `name one of those that are here: ${list}` : `did you mean ${near}?`;
    return error('devices', `there is no interface ${device}, which ${user} names`, advice);
  });
}

/** Device → who names it first. Devices of virtual MACs are made by the director. */
function usersOfDevices({
  failover,
  staticAddresses,
  director,
}: DirectorConfig): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  const ours = new Set(failover.routers.map(({ router }) => router.virtualMacDevice));
  const note = (device: string | undefined, user: string) => {
    if (device !== undefined && !ours.has(device) && !users.has(device)) users.set(device, user);
  };
  for (const { router } of failover.routers) {
    const user = `vrrp_instance ${router.name}`;
    note(router.device, user);
    for (const { device } of [...router.addresses, ...router.excludedAddresses, ...router.routes])
      note(device, user);
    for (const { kind, name } of router.tracks) if (kind === 'interface') note(name, user);
  }
  for (const { group } of failover.groups) {
    for (const { kind, name } of group.tracks)
      if (kind === 'interface') note(name, `vrrp_sync_group ${group.name}`);
  }
  for (const { address, device } of staticAddresses) note(device, `the static address ${address}`);
  for (const device of director.interfaces ?? [])
    if (!device.includes('*')) note(device, 'director { interface }');
  return users;
}

function checkRules(
  machine: Machine,
  { config }: { readonly config: DirectorConfig | undefined },
): Finding[] {
  if (config === undefined || config.virtualServers.length === 0) return [];
  return checkFirewall(machine.run, isLegacyUsed(machine.read));
}

/** Whether iptables-legacy has a table of filters here. */
export function isLegacyUsed(read: Machine['read']): boolean {
  return ['ip', 'ip6'].some((family) => /^filter$/m.test(read(`/proc/net/${family}_tables_names`) ?? ''));
}

function checkScripts(
  machine: Machine,
  { config }: { readonly config: DirectorConfig | undefined },
): Finding[] {
  if (config === undefined) return [];
  const outlooks = scriptOutlooks(config.failover, machine.inspect);
  const runs = [...byAccount(outlooks)].map(([account, titles]) =>
    ok('scripts', `run as ${account}: ${titles.join(', ')}`),
  );
  const defects = defectsOf(outlooks).map(({ fact, remedy, dependents }) => {
    const harm = dependents.length === 0 ? '' : `; never master while that is so: ${dependents.join(', ')}`;
    return warning('scripts', `${fact}${harm}`, remedy);
  });
  return [...defects, ...runs];
}
