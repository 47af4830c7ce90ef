// A command line of ipvsadm becomes what it asks for, or ipvsadm's complaint. Pure: names of hosts and ports are handed in.
// The order of the checks is ipvsadm's, for the first one that fails is what the user reads.

import { type Family, familyOf } from '../model/address.js';
import type {
  AskedCommand,
  AskedListing,
  AskedPersistence,
  AskedProtocol,
  AskedServer,
  AskedServerId,
  AskedService,
  AskedTunnel,
} from './command.js';
import { Refusal, scan, tryHelp } from './scan.js';
import {
  count,
  endpoint,
  mark,
  type Names,
  netmask,
  schedulerFlagBits,
  timeout,
  UnknownHost,
} from './values.js';
import { type CommandWord, type Group, groups, type OptionName } from './words.js';

export type ParsedCommand =
  | { readonly kind: 'command'; readonly command: AskedCommand }
  | { readonly kind: 'refused'; readonly message: string; readonly code: 1 | 2 | 255 }
  /** To be looked up before the line is parsed again. */
  | { readonly kind: 'unknown-host'; readonly host: string };

/** `args` without the program's name. */
export function parseCommand(args: readonly string[], names: Names): ParsedCommand {
  try {
    return { kind: 'command', command: parse(args.length === 0 ? ['--list'] : args, names) };
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', message: error.message, code: error.code };
    if (error instanceof UnknownHost) return { kind: 'unknown-host', host: error.host };
    throw error;
  }
}

/** Options as they are read: what a later one means depends on those before (`-M` on the service's family). */
type Read = {
  readonly given: Set<Group>;
  /** By their long names; the last one counts. */
  readonly flags: Set<OptionName>;
  service: AskedService | undefined;
  scheduler: string | undefined;
  timeout_s: number | undefined;
  mask: AskedPersistence['mask'];
  engine: string | undefined;
  flagText: string | undefined;
  server: { readonly address: AskedServerId['address']; readonly port: number | undefined } | undefined;
  weight: number;
  upper: number;
  lower: number;
  tunnelType: AskedTunnel['type'] | undefined;
  tunnelPort: number | undefined;
};

/** Seconds, when `-p` has no value: the program's, not the manual page's. */
const defaultPersistence_s = 360;
const defaultScheduler = 'wlc';

function parse(args: readonly string[], names: Names): AskedCommand {
  const { command, options, rest } = scan(args);
  const read: Read = {
    given: new Set(),
    flags: new Set(),
    service: undefined,
    scheduler: undefined,
    timeout_s: undefined,
    mask: undefined,
    engine: undefined,
    flagText: undefined,
    server: undefined,
    weight: 1,
    upper: 0,
    lower: 0,
    tunnelType: undefined,
    tunnelPort: undefined,
  };
  const words = [...rest];
  const role =
    command.long === 'start-daemon' || command.long === 'stop-daemon'
      ? daemonRole(command.long, words)
      : undefined;
  for (const option of options) readOption(read, option.word.long, option.word.group, option.value, names);
  const timeouts = command.long === 'set' ? timeoutsIn(words) : undefined;
  const [unexpected] = words;
  if (unexpected !== undefined) throw new Refusal(`unexpected argument ${unexpected}`);
  checkGroups(command, read.given);
  switch (command.long) {
    case 'help':
    case 'version':
    case 'clear':
    case 'restore':
      return { kind: command.long };
    case 'add-service':
    case 'edit-service':
      return serviceCommand(command.long, read);
    case 'delete-service':
      return { kind: 'delete-service', service: serviceOf(read) };
    case 'add-server':
    case 'edit-server':
      return { kind: command.long, service: serviceOf(read), server: serverOf(read) };
    case 'delete-server':
      return { kind: 'delete-server', service: serviceOf(read), server: serverIdOf(read) };
    case 'list':
      return listOf(read);
    case 'zero':
      return { kind: 'zero', service: read.service };
    case 'save':
      return { kind: 'save', isNumeric: read.given.has('numeric') };
    case 'set':
      return { kind: 'set', ...(timeouts ?? { tcp_s: 0, tcpFin_s: 0, udp_s: 0 }) };
    case 'start-daemon':
    case 'stop-daemon':
      return { kind: command.long, role: role ?? 'master' };
    default:
      return command.long satisfies never;
  }
}

function readOption(
  read: Read,
  name: OptionName,
  group: Group | undefined,
  value: string | undefined,
  names: Names,
): void {
  if (group !== undefined) {
    if (read.given.has(group)) throw new Refusal(`multiple '${group}' options specified`);
    read.given.add(group);
  }
  read.flags.add(name);
  const text = value ?? '';
  switch (name) {
    case 'tcp-service':
    case 'udp-service':
    case 'sctp-service':
      readService(read, name.slice(0, -'-service'.length) as AskedProtocol, text, names);
      return;
    case 'fwmark-service':
      read.service = { kind: 'mark', mark: mark(text), family: 4 };
      return;
    case 'ipv6':
      if (read.service?.kind !== 'mark') throw new Refusal('-6 used before -f\n');
      read.service = { ...read.service, family: 6 };
      return;
    case 'scheduler':
      read.scheduler = text;
      return;
    case 'persistent':
      read.timeout_s = value === undefined ? defaultPersistence_s : timeout(value, 1);
      return;
    case 'netmask':
      read.mask = netmask(text, familyOfAsked(read.service) === 6);
      return;
    case 'pe':
      read.engine = text;
      return;
    case 'sched-flags':
      read.flagText = text;
      return;
    case 'real-server': {
      const protocol = read.service?.kind === 'address' ? read.service.protocol : 'tcp';
      read.server = endpoint(text, protocol, names);
      if (read.server === undefined) throw new Refusal('illegal real server address[:port] specified');
      return;
    }
    case 'weight':
      read.weight = count(text, 'weight');
      return;
    case 'u-threshold':
      read.upper = count(text, 'u_threshold');
      return;
    case 'l-threshold':
      read.lower = count(text, 'l_threshold');
      return;
    case 'tun-type':
      if (text !== 'ipip' && text !== 'gue' && text !== 'gre')
        throw new Refusal('illegal tunnel type specified');
      read.tunnelType = text;
      return;
    case 'tun-port':
      read.tunnelPort = count(text, 'tunnel port', 65_535);
      return;
    case 'syncid':
      count(text, 'syncid', 255);
      return;
    default:
      return;
  }
}

function readService(read: Read, protocol: AskedProtocol, text: string, names: Names): void {
  const found = endpoint(text, protocol, names);
  if (found === undefined) throw new Refusal('illegal virtual server address[:port] specified');
  read.service = { kind: 'address', protocol, address: found.address, port: found.port ?? 0 };
}

/** What the command needs, forbids, or takes one of; in the order of the groups. */
function checkGroups(command: CommandWord, given: ReadonlySet<Group>): void {
  const name = command.name ?? command.long;
  let one: Group | undefined;
  for (const group of groups) {
    if (!given.has(group)) {
      if (command.needs.includes(group))
        throw new Refusal(`You need to supply the '${group}' option for the '${name}' command`);
      continue;
    }
    if (command.oneOf?.includes(group)) {
      if (one !== undefined)
        throw new Refusal(
          `The option '${group}' conflicts with the '${one}' option in the '${name}' command`,
        );
      one = group;
    } else if (!command.needs.includes(group) && !command.takes.includes(group)) {
      throw new Refusal(`Illegal '${group}' option with the '${name}' command`);
    }
  }
}

function serviceOf(read: Read): AskedService {
  if (read.service === undefined) throw new Refusal(tryHelp, 255);
  return read.service;
}

function serviceCommand(kind: 'add-service' | 'edit-service', read: Read): AskedCommand {
  const service = serviceOf(read);
  const isPersistent = read.given.has('persistent');
  if (service.kind === 'address') {
    if (service.port === 0 && !isPersistent)
      throw new Refusal('Zero port specified for non-persistent service');
    if (read.given.has('ops') && service.protocol !== 'udp')
      throw new Refusal('One-Packet Scheduling is only for UDP virtual services');
  }
  const scheduler = read.scheduler === undefined || read.scheduler === '' ? defaultScheduler : read.scheduler;
  return {
    kind,
    service,
    set: {
      scheduler,
      flags: read.flagText === undefined ? 0 : schedulerFlagBits(read.flagText, scheduler),
      onePacket: read.given.has('ops'),
      persistence: isPersistent
        ? { timeout_s: read.timeout_s ?? defaultPersistence_s, mask: read.mask }
        : undefined,
      engine: read.engine,
    },
  };
}

function serverIdOf(read: Read): AskedServerId {
  const service = serviceOf(read);
  if (read.server === undefined) throw new Refusal(tryHelp, 255);
  const { address, port } = read.server;
  return { address, port: port ?? (service.kind === 'address' ? service.port : 0) };
}

function serverOf(read: Read): AskedServer {
  const service = serviceOf(read);
  const id = serverIdOf(read);
  const method = read.flags.has('masquerading') ? 'nat' : read.flags.has('ipip') ? 'tun' : 'dr';
  if (method !== 'tun' && familyOfAsked(service) !== familyOf(id.address))
    throw new Refusal('Different address family is allowed only for tunneling servers');
  return {
    ...id,
    // Only NAT can map a port: with any other method the server's is the service's.
    port: method !== 'nat' && service.kind === 'address' ? service.port : id.port,
    method,
    weight: read.weight,
    upperThreshold: read.upper,
    lowerThreshold: read.lower,
    tunnel: tunnelOf(read, method),
  };
}

const tunnelGroups = ['tun-type', 'tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'] as const;
const checksums = { 'tun-nocsum': 'none', 'tun-csum': 'full', 'tun-remcsum': 'remote' } as const;

function tunnelOf(read: Read, method: AskedServer['method']): AskedTunnel | undefined {
  const given = tunnelGroups.filter((group) => read.given.has(group));
  if (method !== 'tun') {
    if (given.length > 0) throw new Refusal('Tunnel options conflict with forward method');
    return undefined;
  }
  const type = read.tunnelType ?? 'ipip';
  const illegal: readonly Group[] =
    type === 'gue' ? [] : type === 'gre' ? ['tun-port', 'tun-remcsum'] : tunnelGroups.slice(1);
  for (const group of given) {
    if (illegal.includes(group))
      throw new Refusal(`Illegal '${group}' option with the '${type}' tunnel type`);
  }
  if (type === 'gue' && read.tunnelPort === undefined)
    throw new Refusal("You need to supply the 'tun-port' option for the 'gue' tunnel type");
  const [checksum] = Object.entries(checksums).filter(([group]) => read.flags.has(group as OptionName));
  return { type, port: read.tunnelPort, checksum: checksum?.[1] ?? 'none' };
}

/** Of several kinds the first in this order is shown. */
const kinds = ['stats', 'rate', 'thresholds', 'persistent-conn', 'tun-info'] as const;
const listed = { connection: 'connections', timeout: 'timeouts', daemon: 'daemons' } as const;

function listOf(read: Read): AskedCommand {
  const [instead] = Object.entries(listed).filter(([group]) => read.given.has(group as Group));
  const kind: AskedListing['kind'] = kinds.find((group) => read.given.has(group)) ?? 'plain';
  // With connections, --persistent-conn shows the data of persistence engines.
  const shown =
    instead?.[0] === 'connection' ? (['stats', 'rate', 'thresholds'] as const) : kinds.slice(0, 4);
  if (instead !== undefined && shown.some((group) => read.given.has(group)))
    throw new Refusal('options conflicts in the list command');
  return {
    kind: 'list',
    what: instead?.[1] ?? 'services',
    service: read.service,
    isNumeric: read.given.has('numeric'),
    listing: { kind, isExact: read.given.has('exact'), isSorted: !read.given.has('nosort') },
  };
}

/** Takes its three words. */
function timeoutsIn(words: string[]): { tcp_s: number; tcpFin_s: number; udp_s: number } {
  const three = words.splice(0, 3);
  if (three.length < 3) throw new Refusal('--set option requires 3 timeout values');
  const [tcp_s = 0, tcpFin_s = 0, udp_s = 0] = three.map((text) => timeout(text, 0));
  return { tcp_s, tcpFin_s, udp_s };
}

/** Takes its word. */
function daemonRole(command: 'start-daemon' | 'stop-daemon', words: string[]): 'master' | 'backup' {
  const role = words.shift();
  if (role === undefined) throw new Refusal(tryHelp, 255);
  if (role === 'master' || role === 'backup') return role;
  throw new Refusal(
    `illegal ${command === 'start-daemon' ? 'start-daemon parameter' : 'start_daemon'} specified`,
  );
}

export function familyOfAsked(service: AskedService | undefined): Family {
  if (service === undefined) return 4;
  return service.kind === 'mark' ? service.family : familyOf(service.address);
}
