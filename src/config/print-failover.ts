// FailoverConfig to text in keepalived's form. Whatever an instance has is written in the instance, also where uvs and
// keepalived differ in what stands for nothing: the text means the same to both.

import type {
  FailoverConfig,
  Fifo,
  GroupConfig,
  NotifyScripts,
  Pacing,
  RouterConfig,
  ScriptCommand,
  TrackFile,
} from '../model/failover-config.js';
import { noFailover } from '../model/failover-config.js';
import type {
  Account,
  AnnouncePolicy,
  Delivery,
  Track,
  TrackScript,
  VirtualAddress,
  VirtualRoute,
  VirtualRouter,
} from '../model/virtual-router.js';
import { defaultGroup4, defaultGroup6 } from './blocks/vrrp-defaults.js';
import { commandText } from './command-line.js';
import { flag, type Lines, secondsText, secondsUnless, setting, unless, word } from './print-words.js';

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
    ...commandLine(`${name}_script`, script),
  ];
}

function accountText(account: Account | undefined): string | undefined {
  if (account === undefined) return undefined;
  return [word(account.user), word(account.group)].filter((text) => text !== undefined).join(' ');
}

function commandLine(keyword: string, command: ScriptCommand | undefined): string[] {
  if (command === undefined) return [];
  if (command.words.length === 0) return [keyword];
  const account = accountText(command.account);
  const text = word(commandText(command.words));
  return [`${keyword} ${text}${account === undefined ? '' : ` ${account}`}`];
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
      ...notifyLines(notify),
    ],
  ];
}

function routerBlock({ router, notify }: RouterConfig): NamedLines {
  const { family, version, device, authentication } = router;
  return [
    `vrrp_instance ${word(router.name)}`,
    [
      `state ${router.startState.toUpperCase()}`,
      `interface ${word(device)}`,
      `virtual_router_id ${router.virtualRouterId}`,
      `priority ${router.priority}`,
      `version ${version}`,
      `advert_int ${secondsText(router.advertInterval)}`,
      ...setting('down_timer_adverts', unless(router.downTimerAdverts, 3)),
      ...macLine(router),
      ...flag('nopreempt', !router.preempt),
      ...setting('preempt_delay', secondsUnless(router.preemptDelay, 0)),
      ...flag('no_accept', !router.acceptsTraffic && !router.isStrict),
      ...flag('strict_mode', router.isStrict),
      ...flag('accept', router.acceptsTraffic && router.isStrict && router.priority !== 255),
      ...flag('lower_prio_no_advert', !router.answersLowerPriority && !router.isStrict),
      ...flag('higher_prio_send_advert', router.answersHigherPriority),
      ...(router.answersHigherPriority ? [] : ['higher_prio_send_advert no']),
      ...flag('owner_ignore_adverts', router.ownerIgnoresAdverts),
      ...flag('skip_check_adv_addr', router.skipsKnownAddressCheck),
      ...(authentication.kind === 'none'
        ? []
        : [['authentication', ['auth_type PASS', `auth_pass ${word(authentication.password)}`]] as const]),
      ...flag('v3_checksum_as_v2', router.checksum === 'message'),
      ...deliveryLines(router.delivery, router),
      ...announceLines(router.announce),
      ...(family === 6 && router.addresses.length === 0 ? ['native_ipv6'] : []),
      ...addressBlock('virtual_ipaddress', router.addresses, router),
      ...addressBlock('virtual_ipaddress_excluded', router.excludedAddresses, router),
      ...routeBlock(router),
      ...flag('dont_track_primary', !router.tracks.some((track) => isImplied(track, device))),
      ...trackLines(writtenTracks(router)),
      ...notifyLines(notify),
    ],
  ];
}

function macLine({ virtualMacDevice, virtualMac }: VirtualRouter): string[] {
  if (virtualMacDevice === undefined) return [];
  return [`use_vmac ${word(virtualMacDevice)} ${virtualMac}`];
}

function deliveryLines(delivery: Delivery, { family, source }: VirtualRouter): Lines {
  if (delivery.kind === 'multicast') {
    return [
      ...setting('mcast_dst_ip', unless(delivery.group, family === 4 ? defaultGroup4 : defaultGroup6)),
      ...setting('mcast_src_ip', source),
    ];
  }
  return [
    ...setting('unicast_src_ip', source),
    [
      'unicast_peer',
      delivery.peers.map(({ address, minTtl, maxTtl }) =>
        [address, ...setting('min_ttl', unless(minTtl, 0)), ...setting('max_ttl', unless(maxTtl, 255))].join(
          ' ',
        ),
      ),
    ],
    ...setting('unicast_ttl', unless(delivery.ttl, 255)),
    ...flag('check_unicast_src', delivery.checksSource),
    ...flag('unicast_fault_no_peer', delivery.peers.length === 0),
  ];
}

function extraText({ extra, extraDevices }: AnnouncePolicy): string | undefined {
  const every = secondsUnless(extra, 0);
  return every === undefined || extraDevices === 'virtual-mac' ? every : `all ${every}`;
}

function announceLines(policy: AnnouncePolicy): string[] {
  return [
    `garp_master_repeat ${policy.repeat}`,
    `garp_master_delay ${secondsText(policy.delay)}`,
    ...(policy.isRefreshWritten ? [`garp_master_refresh ${secondsText(policy.refresh)}`] : []),
    `garp_master_refresh_repeat ${policy.refreshRepeat}`,
    `garp_lower_prio_repeat ${policy.lowerPriorityRepeat}`,
    `garp_lower_prio_delay ${secondsText(policy.lowerPriorityDelay)}`,
    ...setting('garp_extra_if', extraText(policy)),
  ];
}

function addressBlock(name: string, addresses: readonly VirtualAddress[], router: VirtualRouter): Lines {
  return addresses.length === 0 ? [] : [[name, addresses.map((address) => addressLine(address, router))]];
}

function addressLine(entry: VirtualAddress, router: VirtualRouter): string {
  return [
    `${entry.address}/${entry.length}`,
    ...setting('brd', entry.broadcast),
    ...setting('dev', word(entry.device)),
    ...(entry.scope === 'global' ? [] : [`scope ${entry.scope}`]),
    ...setting('label', word(entry.label)),
    ...untracked(entry.device, router),
  ].join(' ');
}

function routeBlock(router: VirtualRouter): Lines {
  if (router.routes.length === 0) return [];
  return [['virtual_routes', router.routes.map((route) => routeLine(route, router))]];
}

function routeLine(route: VirtualRoute, router: VirtualRouter): string {
  return [
    ...(route.kind === 'unicast' ? [] : [route.kind]),
    ...setting('src', route.source),
    `${route.destination.address}/${route.destination.length}`,
    ...setting('via', route.gateway),
    ...setting('dev', word(route.device)),
    ...setting('scope', route.scope),
    ...flag('onlink', route.isOnLink),
    ...setting('metric', route.metric),
    ...setting('table', route.table),
    // keepalived has a remark about a route that it cannot track.
    ...(route.device === undefined ? ['no_track'] : untracked(route.device, router)),
  ].join(' ');
}

/** A device that comes with an address or route is tracked unless that is said. */
function untracked(device: string | undefined, router: VirtualRouter): string[] {
  if (device === undefined || device === router.device) return [];
  return flag('no_track', !tracksDevice(router, device));
}

function tracksDevice({ tracks }: VirtualRouter, device: string): boolean {
  return tracks.some(({ kind, name }) => kind === 'interface' && name === device);
}

/** Without those that follow from the instance's own device and from addresses and routes. */
function writtenTracks(router: VirtualRouter): readonly Track[] {
  const lines = [...router.addresses, ...router.excludedAddresses, ...router.routes];
  const devices = [router.device, ...lines.flatMap(({ device }) => device ?? [])];
  return router.tracks.filter((track) => !devices.some((device) => isImplied(track, device)));
}

function isImplied({ kind, name, weight, isReversed }: Track, device: string): boolean {
  return kind === 'interface' && name === device && weight === 0 && !isReversed;
}

function trackLines(tracks: readonly Track[]): Lines {
  return (['interface', 'script', 'file'] as const).flatMap((kind) => {
    const lines = tracks.filter((track) => track.kind === kind).map(trackLine);
    return lines.length === 0 ? [] : [[`track_${kind}`, lines] as const];
  });
}

function trackLine({ kind, name, weight, isReversed }: Track): string {
  // A script's own weight is not printed; a file's is, and may be reversed.
  const direction = isReversed ? ' reverse' : kind === 'file' ? ' noreverse' : '';
  return `${word(name)} weight ${weight}${direction}`;
}

function notifyLines(notify: NotifyScripts): string[] {
  return [
    ...commandLine('notify_master', notify.master),
    ...commandLine('notify_backup', notify.backup),
    ...commandLine('notify_fault', notify.fault),
    ...commandLine('notify_stop', notify.stop),
    ...commandLine('notify_deleted', notify.deleted),
    ...commandLine('notify_master_rx_lower_pri', notify.masterRxLowerPriority),
    ...commandLine('notify', notify.any),
    ...flag('notify_priority_changes', notify.notifiesPriority),
  ];
}
