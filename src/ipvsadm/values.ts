// The values of ipvsadm's options, read as ipvsadm reads them: decimal numbers within bounds, addresses with ports, masks,
// flags of schedulers. What is none throws a Refusal in ipvsadm's words.

import { type IpAddress, parseIp } from '../model/address.js';
import {
  maxPersistence_s,
  type SchedulerFlag,
  schedulerFlags,
  schedulerFlagWords,
} from '../model/forwarding-table.js';
import type { AskedProtocol } from './command.js';
import { Refusal } from './scan.js';

/** How names become numbers. A host that is not known yet is asked for, and the line is parsed again. */
export type Names = {
  /** undefined: there is no such host. Throws UnknownHost when nobody has asked for it yet. */
  readonly host: (name: string) => IpAddress | undefined;
  readonly port: (name: string, protocol: AskedProtocol) => number | undefined;
};

/** Not a Refusal: whoever parses resolves the name and parses again. */
export class UnknownHost extends Error {
  constructor(readonly host: string) {
    super(`the host ${host} was not looked up`);
  }
}

export const maxInt = 2 ** 31 - 1;
const maxMark = 2 ** 32 - 1;

/** As strtol of base ten: blanks and a plus may stand before the digits, nothing behind. */
export function decimal(text: string, least: number, most: number): number | undefined {
  if (!/^\s*\+?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

export function timeout(text: string, least: number): number {
  const value = decimal(text, least, maxPersistence_s);
  if (value === undefined) throw new Refusal(`invalid timeout value \`${text}' specified`);
  return value;
}

export function mark(text: string): number {
  const value = decimal(text, 1, maxMark);
  if (value === undefined) throw new Refusal(`invalid fwmark value \`${text}' specified`);
  return value;
}

/** `illegal WHAT specified` when it is none. */
export function count(text: string, what: string, most = maxInt): number {
  const value = decimal(text, 0, most);
  if (value === undefined) throw new Refusal(`illegal ${what} specified`);
  return value;
}

/** `HOST`, `HOST:PORT`, `IPV6`, `[IPV6]:PORT`; undefined: none of them. Without a port `port` is undefined. */
export function endpoint(
  text: string,
  protocol: AskedProtocol,
  names: Names,
): { readonly address: IpAddress; readonly port: number | undefined } | undefined {
  const [, bracketed, behind] = /^\[([^\]]*)\]:(.*)$/.exec(text) ?? [];
  if (text.startsWith('[')) {
    const address = bracketed === undefined ? undefined : addressOf(bracketed, names);
    // In brackets an IPv4 address has no port.
    if (address !== undefined && !address.includes(':')) return { address, port: undefined };
    return address === undefined ? undefined : withPort(address, behind ?? '', protocol, names);
  }
  const bare = text.includes(':') ? parseIp(text) : undefined;
  if (bare !== undefined) return { address: bare, port: undefined };
  const colon = text.lastIndexOf(':');
  const address = addressOf(colon < 0 ? text : text.slice(0, colon), names);
  if (address === undefined || address.includes(':')) return undefined;
  return colon < 0 ? { address, port: undefined } : withPort(address, text.slice(colon + 1), protocol, names);
}

function withPort(address: IpAddress, text: string, protocol: AskedProtocol, names: Names) {
  const port = decimal(text, 0, 65_535) ?? names.port(text, protocol);
  return port === undefined ? undefined : { address, port };
}

function addressOf(text: string, names: Names): IpAddress | undefined {
  if (text === '' || /\s/.test(text)) return undefined;
  const address = parseIp(text);
  // A colon stands in no name.
  return address ?? (text.includes(':') ? undefined : names.host(text));
}

/** The bits of `sh-port,sh-fallback`; the flags of another scheduler are refused. */
export function schedulerFlagBits(text: string, scheduler: string): number {
  let bits = 0;
  for (const name of text.split(',').filter((part) => part !== '')) {
    const flag = schedulerFlagWords.find((known) => known.name === name);
    if (flag === undefined) throw new Refusal(`invalid scheduler flag \`${name}'`);
    if (flag.scheduler !== undefined && flag.scheduler !== scheduler)
      throw new Refusal(`incompatible scheduler flag \`${name}'`);
    bits |= flag.bit;
  }
  return bits;
}

/** The scheduler's own names of the bits; undefined: one of them has none there. */
export function flagsOf(bits: number, scheduler: string): readonly SchedulerFlag[] | undefined {
  const set = schedulerFlags.filter((flag) => flag.scheduler === scheduler && (bits & flag.bit) !== 0);
  const known = set.reduce((sum, { bit }) => sum | bit, 0);
  return known === bits ? set.map(({ name }) => name) : undefined;
}

/** The granularity of persistence: a mask for IPv4, a prefix's length for IPv6. */
export function netmask(text: string, isIpv6: boolean): IpAddress | number {
  if (isIpv6) {
    const length = decimal(text, 1, 128);
    if (length === undefined) throw new Refusal('illegal ipv6 netmask specified');
    return length;
  }
  // inet_aton takes a number for all four bytes.
  const word = /^\d+$/.test(text) ? Number(text) : undefined;
  const mask = word === undefined || word > maxMark ? parseIp(text) : ipv4Of(word);
  if (mask === undefined || mask.includes(':'))
    throw new Refusal('illegal virtual server persistent mask specified');
  return mask;
}

function ipv4Of(word: number): IpAddress | undefined {
  return parseIp([24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.'));
}
