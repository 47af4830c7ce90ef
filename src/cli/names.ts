// Names for addresses and ports, as ipvsadm shows them without -n: hosts by the system's resolver, ports by
// /etc/services. A name server that doesn't answer costs a bounded time, and then the numbers are shown.

import { lookupService } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { type ListedService, listedEndpoints, type NameEndpoint, numericName } from '../ipvsadm/listing.js';
import type { IpAddress } from '../model/address.js';
import type { DestinationId, Protocol } from '../model/service-id.js';

const patience_ms = 3_000;

/** A naming of `endpoints`; any other endpoint stays numeric. */
export async function resolveNames(endpoints: Iterable<DestinationId>): Promise<NameEndpoint> {
  const hosts = await resolveHosts(new Set(Array.from(endpoints, ({ address }) => address)));
  const ports = readPortNames('/etc/services');
  return (endpoint, protocol) => {
    const host = hosts.get(endpoint.address);
    const port = ports.get(portKey(endpoint.port, protocol));
    if (host === undefined && port === undefined) return numericName(endpoint, protocol);
    const [numericHost] = splitLast(numericName(endpoint, protocol));
    return `${host ?? numericHost}:${port ?? endpoint.port}`;
  };
}

/** A naming of what a listing of `services` shows. */
export function nameServices(
  services: readonly Pick<ListedService, 'id' | 'destinations'>[],
): Promise<NameEndpoint> {
  return resolveNames(services.flatMap(({ id, destinations }) => [...listedEndpoints(id), ...destinations]));
}

async function resolveHosts(addresses: ReadonlySet<IpAddress>): Promise<ReadonlyMap<IpAddress, string>> {
  const hosts = new Map<IpAddress, string>();
  const lookups = Array.from(addresses, async (address) => {
    const { hostname } = await lookupService(address, 0);
    if (hostname !== address) hosts.set(address, hostname);
  });
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patience_ms);
  });
  await Promise.race([Promise.allSettled(lookups), patience]);
  clearTimeout(timer);
  return new Map(hosts);
}

/** `http/tcp` → 80, other names for it too, from a file in the form of /etc/services. */
export function readPorts(file: string): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const [port, protocol, names] of readServices(file)) {
    for (const name of names) if (!ports.has(`${name}/${protocol}`)) ports.set(`${name}/${protocol}`, port);
  }
  return ports;
}

/** `80/tcp` → `http`, from a file in the form of /etc/services; empty when there is none. */
export function readPortNames(file: string): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [port, protocol, [name = '']] of readServices(file)) {
    const key = `${port}/${protocol}`;
    if (!names.has(key)) names.set(key, name);
  }
  return names;
}

function* readServices(file: string): Generator<[port: number, protocol: string, names: readonly string[]]> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return;
  }
  for (const line of text.split('\n')) {
    const [, name, port, protocol = '', aliases = ''] =
      /^([^\s#]+)\s+(\d+)\/(tcp|udp|sctp)\b([^#]*)/.exec(line) ?? [];
    if (name === undefined) continue;
    yield [Number(port), protocol, [name, ...aliases.split(/\s+/).filter((word) => word !== '')]];
  }
}

function portKey(port: number, protocol: Protocol): string {
  return `${port}/${protocol}`;
}

function splitLast(text: string): [string, string] {
  const at = text.lastIndexOf(':');
  return [text.slice(0, at), text.slice(at + 1)];
}
