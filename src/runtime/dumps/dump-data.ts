// keepalived.data: virtual routers, sync groups, scripts, files and interfaces as they are now, in keepalived's words.

import { dataLines } from '../../config/row.js';
import { announceRows } from '../../config/rows/announce.js';
import { notifyRows } from '../../config/rows/notify.js';
import { fileRows, scriptRows } from '../../config/rows/tracked.js';
import { routerRows } from '../../config/rows/vrrp-instance.js';
import type { Link } from '../../dataplane/network.js';
import { familyOf } from '../../model/address.js';
import type { NotifyScripts, ScriptCommand } from '../../model/failover-config.js';
import { addMicros, micros } from '../../model/units.js';
import type { Account, Track, VirtualRouter } from '../../model/virtual-router.js';
import { effectivePriority, nextDeadline } from '../../vrrp/state.js';
import { masterDownInterval } from '../../vrrp/timers.js';
import type { FailoverReading, RouterReading } from '../failover/reading.js';
import { findAccount, usualAccount } from '../scripts/accounts.js';
import { addressWords, commandWords, momentWords, stateWord } from './dump-words.js';

export function dataText(input: FailoverReading): string {
  const lines = [
    ...section('Global definitions', globalLines(input)),
    ...section(
      'VRRP Topology',
      input.routers.flatMap((router) => routerLines(router, input)),
    ),
    ...section('VRRP Sync groups', groupLines(input)),
    ...section('VRRP Scripts', scriptLines(input)),
    ...section('VRRP Track files', fileLines(input)),
    ...section('Interfaces', input.links.flatMap(linkLines)),
  ];
  return `${lines.join('\n')}\n`;
}

/** Without lines it is left out, as keepalived does. */
function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`------< ${title} >------`, ...lines];
}

function globalLines(input: FailoverReading): string[] {
  const { routerId, config } = input;
  const { scriptPolicy, writesStatesOnReload } = config;
  const ids = idWords(undefined, input);
  return [
    ...(routerId === undefined ? [] : [` Router ID = ${routerId}`]),
    ...config.fifos.flatMap(({ hears, path, account, script }) => {
      const name = `${hears === 'all' ? 'Global' : hears.toUpperCase()} notify fifo`;
      return [
        ` ${name} = ${withIds(path, account, input)}`,
        ...(script === undefined
          ? []
          : [` ${name} script = ${scriptWords({ ...script, words: [...script.words, path] }, input)}`]),
      ];
    }),
    ` FIFO write vrrp states on reload = ${writesStatesOnReload}`,
    ` Script security ${scriptPolicy.isSecure ? 'enabled' : 'disabled'}`,
    ...(ids === undefined ? [] : [` Default script uid:gid ${ids}`]),
  ];
}

function routerLines(dumped: RouterReading, input: FailoverReading): string[] {
  const { now, wall, links } = input;
  const { config, group, state, since, source } = dumped;
  const { router } = config;
  const word = stateWord(state.kind);
  const deadline = nextDeadline(state);
  const masterInterval = state.kind === 'backup' ? state.masterInterval : router.advertInterval;
  const downTimer = masterDownInterval(router, effectivePriority(state), masterInterval);
  const master = state.kind === 'backup' ? state.master : undefined;
  return [
    ` VRRP Instance = ${router.name}`,
    ...dataLines(routerRows, router, 'version'),
    ...(router.family === 6 ? ['   Using Native IPv6'] : []),
    ...(group === undefined ? [] : [`   Sync group = ${group}`]),
    `   State = ${word}`,
    ...(master === undefined
      ? []
      : [`   Master router = ${master.source}`, `   Master priority = ${master.priority}`]),
    ...(router.delivery.kind === 'unicast' ? ['   Flags:', '     Using unicast'] : ['   Flags: none']),
    `   Wantstate = ${word}`,
    `   Number of interface and track script faults = ${state.faults.length}`,
    `   Last transition = ${momentWords(since)}`,
    `   Read timeout = ${deadline === undefined ? 'DISABLED' : momentWords(addMicros(wall, micros(deadline - now)))}`,
    `   Master down timer = ${downTimer} usecs`,
    ...deviceLines(router, links),
    `   Using src_ip = ${source ?? '(none)'}${router.source === undefined ? '' : ' (from configuration)'}`,
    ...(router.delivery.kind === 'multicast' ? [`   Multicast address ${router.delivery.group}`] : []),
    ...dataLines(announceRows, router.announce),
    ...dataLines(
      routerRows,
      router,
      'downTimerAdverts',
      'answersLowerPriority',
      'answersHigherPriority',
      'virtualRouterId',
      'priority',
    ),
    `   Effective priority = ${effectivePriority(state)}`,
    `   Total priority = ${state.priority}`,
    ...dataLines(routerRows, router, 'advertInterval', 'acceptsTraffic', 'preempt', 'preemptDelay'),
    ...authenticationLines(router),
    ...addressLines(dumped),
    ...peerLines(router),
    ...routeLines(router),
    ...trackLines(router.tracks, router.device),
    ...notifyLines(config.notify, input),
    ...dataLines(notifyRows, config.notify, 'notifiesPriority'),
  ];
}

function deviceLines({ device, virtualMacDevice }: VirtualRouter, links: readonly Link[]): string[] {
  if (virtualMacDevice === undefined) return [`   Interface = ${device}`];
  const isUp = links.some(({ name, isUp: up }) => name === virtualMacDevice && up);
  return [
    `   Use VMAC, i/f name ${virtualMacDevice}, is_up = ${isUp}, xmit_base = false`,
    `   Interface = ${virtualMacDevice}, vmac on ${device}`,
  ];
}

function authenticationLines({ version, authentication }: VirtualRouter): string[] {
  if (version !== 2) return [];
  if (authentication.kind === 'none') return ['   Authentication type = none'];
  return ['   Authentication type = SIMPLE_PASSWORD', `   Password = ${authentication.password}`];
}

function addressLines({ config: { router }, hasAddresses }: RouterReading): string[] {
  const write = (address: VirtualRouter['addresses'][number]) =>
    `     ${addressWords(address, router, hasAddresses)}`;
  const { addresses, excludedAddresses } = router;
  return [
    `   Virtual IP (${addresses.length}):`,
    ...addresses.map(write),
    ...(excludedAddresses.length === 0 ? [] : ['   Virtual IP Excluded :', ...excludedAddresses.map(write)]),
  ];
}

function peerLines({ delivery }: VirtualRouter): string[] {
  if (delivery.kind !== 'unicast') return [];
  return [
    `   Unicast TTL = ${delivery.ttl}`,
    `   Check unicast src : ${delivery.checksSource ? 'yes' : 'no'}`,
    '   Unicast Peer :',
    ...delivery.peers.map(
      ({ address, minTtl, maxTtl }) => `     ${address} min_ttl ${minTtl} max_ttl ${maxTtl}`,
    ),
  ];
}

function routeLines({ routes }: VirtualRouter): string[] {
  if (routes.length === 0) return [];
  const lines = routes.map(
    ({ kind, destination, gateway, device, source, metric, table, scope, isOnLink }) => {
      const via =
        gateway === undefined ? '' : ` via ${familyOf(gateway) === 4 ? 'inet' : 'inet6'} ${gateway}`;
      const rest = [
        device === undefined ? '' : ` dev ${device}`,
        source === undefined ? '' : ` src ${source}`,
        scope === undefined ? '' : ` scope ${scope}`,
        isOnLink ? ' onlink' : '',
        metric === undefined ? '' : ` metric ${metric}`,
        table === undefined ? '' : ` table ${table}`,
      ];
      const type = kind === 'unicast' ? '' : `${kind} `;
      return `     ${type}${destination.address}/${destination.length}${via}${rest.join('')}`;
    },
  );
  return ['   Virtual Routes :', ...lines];
}

/** The router's own device is tracked without being asked; keepalived does not list it. */
function trackLines(all: readonly Track[], device?: string): string[] {
  const tracks = all.filter(
    ({ kind, name, weight }) => kind !== 'interface' || name !== device || weight !== 0,
  );
  const titles = {
    interface: 'Tracked interfaces',
    script: 'Tracked scripts',
    file: 'Tracked files',
  } as const;
  return (['interface', 'script', 'file'] as const).flatMap((kind) => {
    const own = tracks.filter((track) => track.kind === kind);
    return own.length === 0 ? [] : [`   ${titles[kind]} :`, ...own.map(trackLine)];
  });
}

function trackLine({ kind, name, weight, isReversed }: Track): string {
  return `     ${name}${kind === 'file' ? ',' : ''} weight ${weight}${isReversed ? ' reverse' : ''}`;
}

const notifyFields = Object.keys(notifyRows) as (keyof NotifyScripts)[];

function notifyLines(notify: NotifyScripts, input: FailoverReading): string[] {
  return notifyFields.flatMap((field) => {
    const script = notify[field];
    if (typeof script !== 'object') return [];
    return [`   ${notifyRows[field].dump?.data?.[0]} = ${scriptWords(script, input)}`];
  });
}

function scriptWords({ words, account }: ScriptCommand, input: FailoverReading): string {
  return withIds(commandWords(words), account, input);
}

/** Without the numbers where the account is not known. */
function withIds(text: string, account: Account | undefined, input: FailoverReading): string {
  const ids = idWords(account, input);
  return ids === undefined ? text : `${text}, uid:gid ${ids}`;
}

/** `65534:65534`. */
function idWords(account: Account | undefined, { config, accounts }: FailoverReading): string | undefined {
  const wanted = account ?? config.scriptPolicy.account;
  const found = wanted === undefined ? usualAccount(accounts) : findAccount(wanted, accounts);
  return typeof found === 'string' ? undefined : `${found.uid}:${found.gid}`;
}

function groupLines(input: FailoverReading): string[] {
  const { groups, routers, config } = input;
  return groups.flatMap(({ name, state, members }) => {
    const group = config.groups.find((one) => one.group.name === name);
    const own = routers.filter(({ config }) => members.includes(config.router.name));
    const faults = own.filter(({ state: { faults } }) => faults.length > 0).length;
    const init = own.filter(({ state: { kind } }) => kind === 'initialize').length;
    return [
      ` VRRP Sync Group = ${name}, ${state === undefined || state === 'stop' ? 'INIT' : state.toUpperCase()}`,
      `   Num member fault ${faults}, num member init ${init}`,
      '   VRRP member instances :',
      ...members.map((member) => `     ${member}`),
      ...(group === undefined
        ? []
        : [...trackLines(group.group.tracks), ...notifyLines(group.notify, input)]),
    ];
  });
}

function scriptLines(input: FailoverReading): string[] {
  const { config, scripts } = input;
  return config.scripts.flatMap((script) => {
    const status = scripts.find(({ name }) => name === script.name);
    const ids = idWords(script.account, input);
    const word = status?.isUp === undefined ? 'INIT' : status.isUp ? 'GOOD' : 'BAD';
    return [
      ` VRRP Script = ${script.name}`,
      `   Command = ${commandWords(script.command)}`,
      ...dataLines(scriptRows, script),
      `   Status = ${word}`,
      ...(status?.lastResult === undefined ? [] : [`   Last result = ${status.lastResult}`]),
      ...(status?.defect === undefined
        ? []
        : [`   Can not run = ${status.defect.why}: ${status.defect.remedy}`]),
      ...(ids === undefined ? [] : [`   Script uid:gid = ${ids}`]),
      ...trackingLines('script', script.name, input),
      `   State = ${status?.isRunning === true ? 'running' : 'idle'}`,
    ];
  });
}

function fileLines(input: FailoverReading): string[] {
  const { config, files } = input;
  return config.files.flatMap((trackFile) => {
    const { name } = trackFile;
    const status = files.find((file) => file.name === name);
    return [
      ` Track file = ${name}`,
      ...dataLines(fileRows, trackFile, 'path'),
      `   Status = ${status?.value ?? 0}`,
      ...dataLines(fileRows, trackFile, 'weight'),
      ...trackingLines('file', name, input),
    ];
  });
}

/** A group's tracks are its members' too. */
function trackingLines(kind: Track['kind'], name: string, { config, routers }: FailoverReading): string[] {
  const groupTracks = (group: string | undefined) =>
    config.groups.find((one) => one.group.name === group)?.group.tracks ?? [];
  const lines = routers.flatMap(({ config: { router }, group }) =>
    [...router.tracks, ...groupTracks(group)]
      .filter((track) => track.kind === kind && track.name === name)
      .map(({ weight }) => `     ${router.name}, weight ${weight}`),
  );
  return ['   Tracking instances :', ...lines];
}

function linkLines({ name, ifindex, mac, isUp, mtu, addresses }: Link): string[] {
  const first = (family: 4 | 6) =>
    addresses.find(({ address }) => familyOf(address) === family)?.address ?? '(none)';
  return [
    ` Name = ${name}`,
    `   index = ${ifindex}`,
    `   IPv4 address = ${first(4)}`,
    `   IPv6 address = ${first(6)}`,
    ...(mac === '' ? [] : [`   MAC = ${mac}`]),
    `   State = ${isUp ? 'UP, RUNNING' : 'not UP, not RUNNING'}`,
    `   MTU = ${mtu}`,
  ];
}
