// real_server { }: one destination of a service, with what it inherits and its checkers.

import type { IpAddress } from '../../model/address.js';
import type { CheckerPolicy, RealServer } from '../../model/director-config.js';
import type { ForwardingMethod } from '../../model/forwarding-table.js';
import { type Inherited, inheritFrom } from '../checkers/checker.js';
import { checkerOf } from '../checkers/index.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { readRows } from '../row.js';
import { type ServerSettings, serverRows } from '../rows/real-server.js';
import { type Block, type Statement, settingOf } from '../tree.js';
import { readAddress, readInteger } from '../values.js';
import { flagOf, originOf, textOf } from './settings.js';

/** As the file names it; TUN is known, but not in effect yet. */
export type WrittenMethod = 'NAT' | 'DR' | 'TUN';

export function readMethod(text: string | undefined): WrittenMethod | undefined {
  return text === 'NAT' || text === 'DR' || text === 'TUN' ? text : undefined;
}

/** The method of the model; a service with TUN is left out, so what stands for it is never seen. */
export function methodOf(written: WrittenMethod): ForwardingMethod {
  return written === 'DR' ? 'dr' : 'nat';
}

/** What a server takes from its service. */
export type ServiceAround = {
  readonly address: IpAddress;
  readonly port: number;
  readonly method: WrittenMethod;
  readonly settings: Partial<ServerSettings>;
  readonly inherited: Inherited;
};

export type ReadServer = {
  readonly keyword: Word;
  readonly server: RealServer;
  readonly method: WrittenMethod;
  /** Of any kind, also of those that are not in effect yet. */
  readonly hasCheckers: boolean;
};

/** undefined when its address was refused. */
export function readRealServer(
  statement: Statement,
  service: ServiceAround,
  report: Report,
): ReadServer | undefined {
  const { block, keyword } = statement;
  const [addressWord, portWord] = statement.arguments;
  const address = readAddress(addressWord?.text);
  if (block === undefined || addressWord === undefined || address === undefined) return undefined;
  checkFamily(addressWord, address, service.address, report);
  const written = writtenPort(portWord) ?? service.port;
  const method = readMethod(textOf(block, 'lvs_method')) ?? service.method;
  const port = portUnder(method, portWord, written, service.port, report);
  if (method === 'NAT') checkLoopback(addressWord, address, port, service.port, report);
  const inherited = inheritFrom(block, service.inherited);
  const checked = {
    address,
    port: written,
    serviceAddress: service.address,
    place: keyword,
    inherited,
  };
  const checkers: CheckerPolicy[] = [];
  for (const { shape, block: settings } of block.repeated) {
    const checker = checkerOf(shape.name);
    if (checker !== undefined && settings !== undefined)
      checkers.push(checker.read(settings, checked, report));
  }
  const hasCheckers = block.repeated.length > 0;
  if (!hasCheckers) reportIdle(block, address, report);
  const around = { ...service.settings, alpha: service.inherited.alpha ?? false };
  const reading = { inherited: around, method: methodOf(method), report };
  const server: RealServer = {
    address,
    port,
    ...readRows(serverRows, block, reading),
    checkers,
    origin: originOf(keyword),
  };
  return { keyword, server, method, hasCheckers };
}

export function checkFamily(place: Word, address: IpAddress, service: IpAddress, report: Report): void {
  if (address.includes(':') === service.includes(':')) return;
  const message = `${address} and the service's address ${service} are not of one family`;
  report.add('family-mismatch', place, message, 'make one service for IPv4 and one for IPv6');
}

/** The kernel takes nothing from outside for a loopback address; at the service's own port the address is left as it is. */
export function checkLoopback(
  place: Word,
  address: IpAddress,
  port: number,
  service: number,
  report: Report,
): void {
  if (port === service || !(address.startsWith('127.') || address === '::1')) return;
  const message = `clients never reach ${address} at port ${port}: the kernel takes nothing from outside for a loopback address`;
  const help = address.includes(':')
    ? 'name an address of a device'
    : 'name an address of a device, or set net.ipv4.conf.DEVICE.route_localnet=1';
  report.add('loopback-server', place, message, help);
}

/** undefined: none, or 0, which stands for the service's. */
export function writtenPort(word: Word | undefined): number | undefined {
  const port = word === undefined ? undefined : readInteger(word.text);
  return port === 0 ? undefined : port;
}

/** DR and TUN leave the packet as it is, so it arrives at the service's port; a service of every port leaves it its port. */
function portUnder(
  method: WrittenMethod,
  place: Word | undefined,
  written: number,
  service: number,
  report: Report,
): number {
  if ((method === 'NAT' && service !== 0) || written === service || place === undefined) return written;
  if (service === 0) {
    const message = `packets of a service of every port keep their port: they do not all arrive at ${written}`;
    report.add('port-ignored', place, message, 'leave the port out, and name it in the checker');
    return written;
  }
  const message = `${method} cannot map ports: packets arrive at port ${service}, not at ${written}`;
  const help = `let the server listen on port ${service}, or use NAT; the checker keeps its own port`;
  report.add('port-ignored', place, message, help);
  return service;
}

/** Settings that only a checker could bring to life. */
function reportIdle(block: Block, address: IpAddress, report: Report): void {
  for (const name of ['alpha', 'inhibit_on_failure']) {
    const statement = settingOf(block, name);
    if (statement === undefined || flagOf(block, name) === false) continue;
    const message = `${name} does nothing: ${address} has no checker, so it is always up`;
    report.add('no-effect', statement.keyword, message, 'add a checker, for example TCP_CHECK { }');
  }
}
