// What identifies a service and a server, and how both are written: the keys of maps, the words of messages. Whoever treats
// the kinds of services apart does it by a `switch` that ends in `never`, so that a new kind is an error of the compiler.

import { type Family, familyOf, type IpAddress, parseIp } from './address.js';

export type Protocol = 'tcp' | 'udp';

export type ServiceId =
  /** One port of an address. */
  | {
      readonly kind: 'endpoint';
      readonly protocol: Protocol;
      readonly address: IpAddress;
      /** 1–65535. */
      readonly port: number;
    }
  /** Every port of an address that no other service has: port 0 in keepalived and ipvsadm. */
  | { readonly kind: 'any-port'; readonly protocol: Protocol; readonly address: IpAddress }
  /** What the firewall has marked: any protocol, address and port of the family. `mark`: 1 to 2^32 - 1. */
  | { readonly kind: 'mark'; readonly mark: number; readonly family: Family };

export type DestinationId = {
  readonly address: IpAddress;
  /** 1–65535, or 0 under a service of every port, where packets keep their port whatever it is. */
  readonly port: number;
};

/** Port 0 is every port. */
export function addressService(protocol: Protocol, address: IpAddress, port: number): ServiceId {
  return port === 0 ? { kind: 'any-port', protocol, address } : { kind: 'endpoint', protocol, address, port };
}

/** `tcp 10.0.0.1:80`, `udp [fd00::1]:0` (every port), `fwmark 3`, `fwmark 3 IPv6`: one key a service, for maps and messages. */
export function serviceKey(id: ServiceId): string {
  if (id.kind === 'mark') return id.family === 6 ? `fwmark ${id.mark} IPv6` : `fwmark ${id.mark}`;
  return `${id.protocol} ${endpointText(writtenEndpoint(id))}`;
}

/** Every port is written as port 0. */
export function writtenEndpoint(id: Exclude<ServiceId, { readonly kind: 'mark' }>): DestinationId {
  switch (id.kind) {
    case 'endpoint':
      return id;
    case 'any-port':
      return { address: id.address, port: 0 };
    default:
      return id satisfies never;
  }
}

/** What `serviceKey` has written; undefined: it has not. */
export function parseServiceKey(text: string): ServiceId | undefined {
  const [, mark, six] = /^fwmark ([1-9]\d{0,9})( IPv6)?$/.exec(text) ?? [];
  if (mark !== undefined) {
    return Number(mark) > maxMark
      ? undefined
      : { kind: 'mark', mark: Number(mark), family: six === undefined ? 4 : 6 };
  }
  const [, protocol, bracketed, plain, digits] =
    /^(tcp|udp) (?:\[([^\]]+)\]|([^:[\]]+)):(0|[1-9]\d{0,4})$/.exec(text) ?? [];
  const address = parseIp(bracketed ?? plain ?? '');
  const port = Number(digits);
  if ((protocol !== 'tcp' && protocol !== 'udp') || address === undefined || port > 65_535) return undefined;
  return addressService(protocol, address, port);
}

export const maxMark = 2 ** 32 - 1;

/** `10.0.0.1:80`, `[fd00::1]:53`. */
export function endpointText({ address, port }: DestinationId): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Of the addresses of the service's servers, too. */
export function familyOfService(id: ServiceId): Family {
  return id.kind === 'mark' ? id.family : familyOf(id.address);
}

/** The virtual address; undefined: a mark has none, and is nobody's. */
export function virtualAddressOf(id: ServiceId): IpAddress | undefined {
  return id.kind === 'mark' ? undefined : id.address;
}

/** What the service is by, where that is not in effect yet: such a service is left out of a file and refused as a change. */
export function notServedYet(id: ServiceId): string | undefined {
  switch (id.kind) {
    case 'endpoint':
    case 'any-port':
      return undefined;
    case 'mark':
      return 'a service by firewall mark';
    default:
      return id satisfies never;
  }
}
