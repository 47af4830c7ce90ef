// virtual_server { }: one service. What uvs cannot serve yet is said for the service and the service left out; what
// cannot do what it seems to say is said in words and read as keepalived reads it.

import { familyOf, type IpAddress } from '../../model/address.js';
import type { LeftOutService, SorryServer, VirtualServer } from '../../model/director-config.js';
import { type Scheduler, schedulers } from '../../model/forwarding-table.js';
import { addressService, endpointText, type Protocol, serviceKey } from '../../model/service-id.js';
import { inheritFrom } from '../checkers/checker.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { readInherited, readRows } from '../row.js';
import { handedDown } from '../rows/real-server.js';
import { serviceRows } from '../rows/virtual-server.js';
import type { Place } from '../source.js';
import { type Block, type Statement, settingOf } from '../tree.js';
import { readAddress, readPort } from '../values.js';
import type { GlobalDefaults } from './global-defs.js';
import {
  checkFamily,
  checkLoopback,
  methodOf,
  type ReadServer,
  readMethod,
  readRealServer,
  type WrittenMethod,
  writtenPort,
} from './real-server.js';
import { flagOf, originOf, textOf } from './settings.js';

/** Why a service is not served. */
type LeftOut = { readonly place: Place; readonly reason: string };

/** undefined when the service is refused or has no servers. */
export function readVirtualServer(
  statement: Statement,
  defaults: GlobalDefaults,
  report: Report,
): VirtualServer | LeftOutService | undefined {
  const { block, keyword } = statement;
  if (block === undefined) return undefined;
  const identity = readIdentity(statement);
  if (identity === undefined) return undefined;
  if ('reason' in identity) return leaveOut(identity, statement, markName(statement), report);

  const { address, port } = identity;
  const protocol = readProtocol(block, keyword, report);
  const scheduler = readScheduler(block, keyword, report);
  const method = readServiceMethod(block, keyword, report);
  const service = {
    address,
    port,
    method,
    settings: readInherited(handedDown, block, {}),
    inherited: inheritFrom(block, defaults.checks),
  };
  const servers: ReadServer[] = [];
  for (const server of block.repeated) {
    const read = readRealServer(server, service, report);
    if (read !== undefined) servers.push(read);
  }
  const realServers = servers.map(({ server }) => server);
  reportDuplicateServers(servers, report);
  const sorry = readSorryServer(block, service, report);

  const id = protocol === 'sctp' ? undefined : addressService(protocol, address, port);
  const leftOut =
    unservedProtocol(protocol, block) ??
    unservedMethod([method, ...servers.map((server) => server.method), sorry?.method], keyword);
  if (leftOut !== undefined || id === undefined) {
    const name = id === undefined ? `sctp ${endpointText({ address, port })}` : serviceKey(id);
    return leaveOut(leftOut ?? { place: keyword, reason: 'SCTP' }, statement, name, report);
  }
  if (realServers.length === 0) {
    const message = 'this service has no real servers: it is left out, and its packets stay with this host';
    if (!report.hasErrors())
      report.add('no-real-servers', keyword, message, 'add a real_server, or remove the service');
    return undefined;
  }

  reportIdle(block, servers, report);
  const reading = {
    keyword,
    protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const),
    scheduler,
    method: methodOf(method),
    family: familyOf(address),
    isEveryPort: port === 0,
    alpha: service.inherited.alpha ?? false,
    sorryServer: sorry?.server,
    realServers,
    report,
  };
  return {
    id,
    ...readRows(serviceRows, block, reading),
    realServers,
    notAsWritten: notAsWritten(block),
    origin: originOf(keyword),
  };
}

function leaveOut(
  { place, reason }: LeftOut,
  { keyword }: Statement,
  name: string,
  report: Report,
): LeftOutService {
  report.add('service-left-out', place, `this service is left out: ${reason} is not in effect yet`);
  return { name, reason, origin: originOf(keyword) };
}

/** `fwmark 3`, `group NAME`. */
function markName(statement: Statement): string {
  return statement.arguments.map(({ text }) => text).join(' ');
}

/** Keywords of the service and its servers that change who gets traffic and do nothing yet; each once. */
function notAsWritten(block: Block): string[] {
  const servers = block.repeated.flatMap((server) => server.block ?? []);
  const statements = [block, ...servers].flatMap(({ settings, repeated }) => [...settings, ...repeated]);
  const later = statements.filter(({ shape }) => shape.effect === 'later' && shape.movesTraffic);
  const names = new Set(later.map(({ shape }) => shape.name));
  return [...names];
}

function readIdentity(statement: Statement): { address: IpAddress; port: number } | LeftOut | undefined {
  const [first, second] = statement.arguments;
  if (first?.text === 'fwmark') return { place: first, reason: 'a service by firewall mark' };
  if (first?.text === 'group') return { place: first, reason: 'a group of services' };
  const address = readAddress(first?.text);
  const port = second === undefined ? 0 : readPort(second.text);
  return address === undefined || port === undefined ? undefined : { address, port };
}

type WrittenProtocol = Protocol | 'sctp';

// Nothing is said of a missing keyword while the text has errors: most likely the keyword is there, misspelt.

function readProtocol(block: Block, keyword: Word, report: Report): WrittenProtocol {
  const text = textOf(block, 'protocol')?.toLowerCase();
  if (text !== undefined) return text === 'tcp' || text === 'sctp' ? text : 'udp';
  if (report.hasErrors()) return 'udp';
  report.add(
    'default-protocol',
    keyword,
    'no protocol is given, which makes this a UDP service',
    'write protocol TCP',
  );
  return 'udp';
}

function readScheduler(block: Block, keyword: Word, report: Report): Scheduler {
  const text = textOf(block, 'lvs_sched');
  // No scheduler at all is an error already.
  if (text !== undefined) return schedulers.find((known) => known === text) ?? 'wlc';
  if (!report.hasErrors())
    report.add('default-taken', keyword, 'no scheduler is given: wlc is taken', 'write lvs_sched wlc');
  return 'wlc';
}

function readServiceMethod(block: Block, keyword: Word, report: Report): WrittenMethod {
  const text = textOf(block, 'lvs_method');
  const usesDefault = block.repeated.some(
    (server) => server.block === undefined || settingOf(server.block, 'lvs_method') === undefined,
  );
  if (text === undefined && usesDefault && !report.hasErrors()) {
    report.add(
      'default-taken',
      keyword,
      'no forwarding method is given: NAT is taken',
      'write lvs_method NAT',
    );
  }
  return readMethod(text) ?? 'NAT';
}

// What uvs does not do yet.

function unservedProtocol(protocol: WrittenProtocol, block: Block): LeftOut | undefined {
  const place = settingOf(block, 'protocol')?.keyword;
  return protocol === 'sctp' && place !== undefined ? { place, reason: 'SCTP' } : undefined;
}

function unservedMethod(methods: readonly (WrittenMethod | undefined)[], keyword: Word): LeftOut | undefined {
  return methods.includes('TUN') ? { place: keyword, reason: 'forwarding by TUN' } : undefined;
}

function readSorryServer(
  block: Block,
  service: { readonly address: IpAddress; readonly port: number; readonly method: WrittenMethod },
  report: Report,
): { server: SorryServer; method: WrittenMethod } | undefined {
  const [addressWord, portWord] = settingOf(block, 'sorry_server')?.arguments ?? [];
  const address = readAddress(addressWord?.text);
  if (addressWord === undefined || address === undefined) return undefined;
  checkFamily(addressWord, address, service.address, report);
  const method = readMethod(textOf(block, 'sorry_server_lvs_method')) ?? service.method;
  const written = writtenPort(portWord) ?? service.port;
  const port = method === 'NAT' && service.port !== 0 ? written : service.port;
  if (port !== written && portWord !== undefined) {
    const message = `${method} cannot map ports: packets reach the sorry server at port ${port}, not at ${written}`;
    report.add(
      'sorry-port-ignored',
      portWord,
      message,
      'write sorry_server_lvs_method NAT, or let it listen there',
    );
  }
  if (method === 'NAT') checkLoopback(addressWord, address, port, service.port, report);
  return { server: { address, port, method: methodOf(method) }, method };
}

function reportDuplicateServers(servers: readonly ReadServer[], report: Report): void {
  const seen = new Map<string, ReadServer>();
  for (const read of servers) {
    const { address, port } = read.server;
    const first = seen.get(`${address} ${port}`);
    if (first === undefined) {
      seen.set(`${address} ${port}`, read);
    } else {
      const message = `${address} port ${port} stands in line ${first.keyword.line} already`;
      report.add(
        'duplicate-server',
        read.keyword,
        message,
        'remove one of them; a weight of 2 counts like two',
      );
    }
  }
}

/** Settings of the service that no server can bring to life, and those that are not in effect yet. */
function reportIdle(block: Block, servers: readonly ReadServer[], report: Report): void {
  const hasCheckers = servers.some((server) => server.hasCheckers);
  for (const name of ['alpha', 'inhibit_on_failure']) {
    const statement = settingOf(block, name);
    if (hasCheckers || statement === undefined || flagOf(block, name) === false) continue;
    const message = `${name} does nothing: no server has a checker, so all are always up`;
    report.add('no-effect', statement.keyword, message, 'add a checker, for example TCP_CHECK { }');
  }
  const omega = settingOf(block, 'omega')?.keyword;
  if (omega === undefined || flagOf(block, 'omega') === false) return;
  const hasScripts =
    settingOf(block, 'quorum_down') !== undefined ||
    block.repeated.some(
      (server) => server.block !== undefined && settingOf(server.block, 'notify_down') !== undefined,
    );
  if (hasScripts) report.addOnce('not-in-effect-yet', 'omega', omega, 'omega is not in effect yet');
  else report.add('no-effect', omega, 'omega does nothing without quorum_down or notify_down');
}
