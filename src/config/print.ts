// DirectorConfig to text in keepalived's form, one keyword a line: what `director check --print` shows.
// Reading the text again gives the same configuration; keepalived accepts it without the block `director { }`.

import type { ClientRules } from '../model/client-rules.js';
import type { CheckerPolicy, DirectorConfig, RealServer, VirtualServer } from '../model/director-config.js';
import type { ForwardingMethod } from '../model/forwarding-table.js';
import { familyOfService, type ServiceId } from '../model/service-id.js';
import { addressWords } from './blocks/router-addresses.js';
import { checkerOfKind } from './checkers/index.js';
import { failoverBlocks, failoverGlobalLines } from './print-failover.js';
import type { Lines } from './print-words.js';
import { printRows } from './row.js';
import { directorRows } from './rows/director.js';
import { globalRows } from './rows/global-defs.js';
import { serverRows } from './rows/real-server.js';
import { serviceRows } from './rows/virtual-server.js';

export type PrintOptions = {
  /** False: without `director { }`, for keepalived's eyes. */
  readonly withDirector?: boolean;
};

export function printConfig(config: DirectorConfig, options: PrintOptions = {}): string {
  const { failover } = config;
  const blocks: [string, Lines][] = [
    ['global_defs', [...printRows(globalRows, config.global, undefined), ...failoverGlobalLines(failover)]],
  ];
  if (config.staticAddresses.length > 0) {
    blocks.push(['static_ipaddress', config.staticAddresses.map((entry) => addressWords(entry).join(' '))]);
  }
  blocks.push(...failoverBlocks(failover));
  for (const service of config.virtualServers) {
    blocks.push([`virtual_server ${serviceWords(service.id)}`, serviceLines(service)]);
  }
  if (options.withDirector !== false) {
    blocks.push([
      'director',
      [...printRows(directorRows, config.director, undefined), ...clientLines(config.clients)],
    ]);
  }
  const texts = blocks.filter(([, lines]) => lines.length > 0).map((block) => render([block], ''));
  return texts.join('\n');
}

function render(lines: Lines, indent: string): string {
  return lines
    .map((line) => {
      if (typeof line === 'string') return `${indent}${line}\n`;
      const [head, inner] = line;
      return `${indent}${head} {\n${render(inner, `${indent}    `)}${indent}}\n`;
    })
    .join('');
}

/** `10.0.0.1 80`; `10.0.0.1 0` is every port. */
function serviceWords(id: ServiceId): string {
  switch (id.kind) {
    case 'endpoint':
      return `${id.address} ${id.port}`;
    case 'any-port':
      return `${id.address} 0`;
    case 'mark':
      return `fwmark ${id.mark}${id.family === 6 ? ' inet6' : ''}`;
    default:
      return id satisfies never;
  }
}

function serviceLines(service: VirtualServer): Lines {
  const [first] = service.realServers;
  const method = first?.method ?? 'nat';
  return [
    ...(service.id.kind === 'mark' ? [] : [`protocol ${service.id.protocol.toUpperCase()}`]),
    `lvs_method ${method.toUpperCase()}`,
    ...printRows(serviceRows, service, { method, family: familyOfService(service.id) }),
    ...service.realServers.map((server) => serverLines(server, service, method)),
  ];
}

function serverLines(server: RealServer, service: VirtualServer, method: ForwardingMethod): [string, Lines] {
  const lines: Lines = [
    ...printRows(serverRows, server, { inherited: { method, alpha: service.alpha } }),
    ...server.checkers.map((checker) => checkerLines(checker, server)),
  ];
  return [`real_server ${server.address} ${server.port}`, lines];
}

/** Throws for a kind that no checker has: a value may come from JavaScript, where nobody has looked at its types. */
function checkerLines(policy: CheckerPolicy, server: RealServer): [string, Lines] {
  const checker = checkerOfKind(policy.kind);
  if (checker === undefined) {
    const kind = JSON.stringify(policy.kind);
    throw new TypeError(`there is no checker ${kind} (server ${server.address} ${server.port})`);
  }
  const { address, port, alpha } = server;
  return [checker.keyword, checker.print(policy, { address, port, inherited: { alpha } })];
}

function clientLines(clients: ClientRules): Lines {
  return (['allow', 'deny'] as const).flatMap(
    (list): Lines => (clients[list].length === 0 ? [] : [[list, clients[list]]]),
  );
}
