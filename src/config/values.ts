// Kinds of values: how each is read, and what is wrong with a text that is none. The grammar says which kind stands
// where; blocks/ reads the value again with the same function. Nothing here knows about keywords.

import {
  addressBits,
  familyOf,
  formatIp,
  type IpAddress,
  ipBytes,
  maskLength,
  type Prefix,
  parseIp,
} from '../model/address.js';
import { nearest } from '../model/nearest.js';
import { type Micros, micros } from '../model/units.js';
import type { DiagnosticCode } from './codes.js';
import { splitCommand } from './command-line.js';

export type Problem = { readonly code: DiagnosticCode; readonly text: string; readonly help?: string };

/** `what` completes the sentence "expected …". */
export type ValueKind = {
  readonly what: string;
  /** undefined when `text` is a value of this kind. */
  readonly problemOf: (text: string) => Problem | undefined;
};

// Readers: the value, or undefined when the text writes none.

export function readInteger(text: string): number | undefined {
  return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Decimal seconds; digits beyond the microsecond are cut. */
export function readTimer(text: string): Micros | undefined {
  return /^(?:\d{1,10}(?:\.\d*)?|\.\d+)$/.test(text) ? micros(Number(text) * 1_000_000) : undefined;
}

export function readBoolean(text: string): boolean | undefined {
  if (text === 'on' || text === 'true' || text === 'yes') return true;
  return text === 'off' || text === 'false' || text === 'no' ? false : undefined;
}

export function readPort(text: string): number | undefined {
  const port = readInteger(text);
  return port !== undefined && port >= 0 && port <= 65_535 ? port : undefined;
}

/** `ADDRESS` or `ADDRESS/LENGTH`; without a length the prefix is the address alone. */
export function readPrefix(text: string): { address: IpAddress; length: number } | undefined {
  const slash = text.indexOf('/');
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = addressBits(familyOf(address));
  const length = slash < 0 ? bits : readInteger(text.slice(slash + 1));
  return length === undefined || length < 0 || length > bits ? undefined : { address, length };
}

/** An address alone: a length behind it says nothing, and keepalived strips it. */
export function readAddress(text: string | undefined): IpAddress | undefined {
  return readPrefix(text ?? '')?.address;
}

/** The address with its host bits cleared. */
export function networkOf({ address, length }: Prefix): IpAddress {
  return formatIp(
    ipBytes(address).map((byte, i) => byte & ~(0xff >> Math.min(8, Math.max(0, length - i * 8)))),
  );
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function readEndpoint(text: string): { address: IpAddress; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const address = parseIp(match?.[1] ?? match?.[2] ?? '');
  const port = readPort(match?.[3] ?? '');
  return address === undefined || !port ? undefined : { address, port };
}

/** 10.0.0.1 of ::ffff:10.0.0.1. */
function mappedIpv4(address: IpAddress): IpAddress | undefined {
  const bytes = ipBytes(address);
  const isMapped = bytes.length === 16 && bytes.slice(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff));
  return isMapped ? formatIp(bytes.slice(12)) : undefined;
}

// Kinds.

export const anyWord: ValueKind = { what: 'a word', problemOf: () => undefined };

/** A program with its arguments in one word, as command-line.ts splits it. */
export const command: ValueKind = {
  what: 'a program, with its arguments in the same quotes',
  problemOf: (text) => {
    const words = splitCommand(text);
    if (!words[0]) return invalid(text, command);
    const sign = shellSign(words);
    if (sign === undefined) return undefined;
    return {
      code: 'as-keepalived',
      text: `no shell reads this command: ${sign} is an argument of ${words[0]} like any other`,
      help: 'put it into a script file, or write "/bin/sh -c \'…\'"',
    };
  },
};

const shellSigns = /^(?:\|\|?|&&?|;)$|^\d?>|^<|;$|`|\$\(/;

/** The first word that only a shell understands; undefined when a shell is what runs. */
function shellSign(words: readonly string[]): string | undefined {
  if (/(?:^|\/)(?:ba|da|a|k|z)?sh$/.test(words[0] ?? '')) return undefined;
  // `</path` as the program is keepalived's own: whether the file can be opened.
  return words.find((word, i) => (i > 0 || !word.startsWith('<')) && shellSigns.test(word));
}

/** The name of a block, which stands in logs, FIFOs and file names. */
export const blockName: ValueKind = {
  what: 'a name without control characters',
  problemOf: (text) => (/^[^\p{Cc}]+$/u.test(text) ? undefined : invalid(text, blockName)),
};

/** A user or group; `//…` after a script is a comment in the wrong language. */
export const account: ValueKind = {
  what: 'the name of a user or group',
  problemOf: (text) => (/^[^/]/.test(text) ? undefined : invalid(text, account)),
};

export function integer(min: number, max: number, what = 'a whole number'): ValueKind {
  const range = Number.isFinite(max) ? `${what} from ${min} to ${max}` : `${what} of at least ${min}`;
  const kind: ValueKind = {
    what: range,
    problemOf: (text) => {
      const value = readInteger(text);
      if (value === undefined) return invalid(text, kind);
      if (value >= min && value <= max) return undefined;
      return { code: 'out-of-range', text: `${text} is out of range: expected ${range}` };
    },
  };
  return kind;
}

/** The kind, and words that are replaced as keepalived replaces them: `taken` is said, and has to be read so. */
export function orElse(kind: ValueKind, replaces: (text: string) => boolean, taken: string): ValueKind {
  return {
    what: kind.what,
    problemOf: (text) => {
      const problem = kind.problemOf(text);
      if (problem === undefined || !replaces(text)) return problem;
      return {
        code: 'value-replaced',
        text: `${text} is not ${kind.what}: ${taken} is taken`,
        help: otherCase(text, kind) ?? `write ${taken}`,
      };
    },
  };
}

/** What `Master` may have meant where BACKUP is taken. */
function otherCase(text: string, kind: ValueKind): string | undefined {
  const upper = text.toUpperCase();
  if (upper === text || kind.problemOf(upper) !== undefined) return undefined;
  return `write ${upper} if that is meant: keepalived compares letter by letter`;
}

/** Of numbers and times: 0 is taken as 1, as in keepalived. */
export function atLeastOne(kind: ValueKind): ValueKind {
  return orElse(kind, (text) => readTimer(text) === 0, '1');
}

/** Decimal seconds between `min` and `max` microseconds. */
export function timer(min = 0, max = Number.POSITIVE_INFINITY): ValueKind {
  const range = Number.isFinite(max) ? ` from ${min / 1e6} to ${max / 1e6}` : min > 0 ? ' above 0' : '';
  const kind: ValueKind = {
    what: `a time in seconds${range}`,
    problemOf: (text) => {
      const value = readTimer(text);
      if (value === undefined) return invalid(text, kind);
      if (value >= min && value <= max) return undefined;
      return { code: 'out-of-range', text: `${text} is out of range: expected ${kind.what}` };
    },
  };
  return kind;
}

export const decimal: ValueKind = {
  what: 'a decimal number',
  problemOf: (text) => (/^-?(?:\d+(?:\.\d*)?|\.\d+)$/.test(text) ? undefined : invalid(text, decimal)),
};

export const boolean: ValueKind = {
  what: 'on, off, true, false, yes or no',
  problemOf: (text) => (readBoolean(text) === undefined ? invalid(text, boolean) : undefined),
};

/** A port; 0 stands for every port where keepalived allows it. */
export const port = integer(1, 65_535, 'a port');
export const portOrNone = integer(0, 65_535, 'a port');

export const address: ValueKind = {
  what: 'an IPv4 or IPv6 address',
  problemOf: (text) => {
    if (parseIp(text) !== undefined) return undefined;
    const ip = readAddress(text);
    if (ip === undefined) return notAddress(text);
    const length = text.slice(text.indexOf('/'));
    return { code: 'as-keepalived', text: `${length} is ignored: ${ip} is one address`, help: `write ${ip}` };
  },
};

/** The address of a multicast group; `family` undefined: of either. */
export function multicastGroup(family?: 4 | 6): ValueKind {
  const kind: ValueKind = {
    what: family === undefined ? 'a multicast address' : `an IPv${family} multicast address`,
    problemOf: (text) => {
      const ip = parseIp(text);
      if (ip === undefined) return notAddress(text);
      const isIpv6 = ip.includes(':');
      const isGroup = isIpv6 ? ip.startsWith('ff') : /^2(?:2[4-9]|3\d)\./.test(ip);
      const isFamily = family === undefined || isIpv6 === (family === 6);
      return isGroup && isFamily
        ? undefined
        : { code: 'invalid-address', text: `${text} is not ${kind.what}` };
    },
  };
  return kind;
}

const longestDeviceName = 15;

/** As the kernel takes it. */
export const deviceName: ValueKind = {
  what: `the name of a device (${longestDeviceName} characters at most, without / and :)`,
  problemOf: (text) => (isDeviceName(text) ? undefined : invalid(text, deviceName)),
};

export function isDeviceName(text: string): boolean {
  if (!/^[^\s/:]+$/.test(text) || text === '.' || text === '..') return false;
  return new TextEncoder().encode(text).length <= longestDeviceName;
}

export const macAddress: ValueKind = {
  what: 'the MAC address of one device (02:00:00:00:00:01)',
  problemOf: (text) =>
    /^[\da-f][02468ace](?::[\da-f]{2}){5}$/i.test(text) ? undefined : invalid(text, macAddress),
};

export const prefix: ValueKind = {
  what: 'an address, or an address with /length',
  problemOf: (text) => {
    const slash = text.indexOf('/');
    const [host, length] = slash < 0 ? [text, undefined] : [text.slice(0, slash), text.slice(slash + 1)];
    const ip = parseIp(host);
    if (ip === undefined) return notPrefix(host, length);
    if (length === undefined || readPrefix(text) !== undefined) return undefined;
    const bits = readMask(length);
    return {
      code: 'invalid-mask',
      text: `${ip} has prefix lengths from 0 to ${addressBits(familyOf(ip))}, not ${length}`,
      ...(bits === undefined ? {} : { help: `write ${ip}/${bits}` }),
    };
  },
};

/** A prefix whose address has no bit beyond its length: whether the network or the host is meant is not guessed. */
export const network: ValueKind = {
  what: 'a network (10.0.0.0/8) or an address',
  problemOf: (text) => {
    const problem = prefix.problemOf(text);
    const read = readPrefix(text);
    if (problem !== undefined || read === undefined) return problem;
    const base = networkOf(read);
    const [mapped, bits] = [mappedIpv4(read.address), read.length - 96];
    if (mapped !== undefined && bits >= 0) {
      return {
        code: 'invalid-address',
        text: `${text} is IPv4 written as IPv6: no packet has such an address`,
        help: `write ${networkOf({ address: mapped, length: bits })}/${bits}`,
      };
    }
    if (base === read.address) return undefined;
    return {
      code: 'invalid-mask',
      text: `${text} has bits beyond its length`,
      help: `write ${base}/${read.length} for the network, ${read.address} for the one address`,
    };
  },
};

/** keepalived's ranges in groups: `10.0.0.1-9`, `10.0.0.1-10.0.1.9`, `10.0.0.8/29`. */
export const addressRange: ValueKind = {
  what: 'an address or a range of addresses',
  problemOf: (text) => {
    const [from = '', to] = text.split('-', 2);
    if (to === undefined) return prefix.problemOf(text);
    const isEnd = parseIp(to) !== undefined || /^[0-9a-fA-F]{1,4}$/.test(to);
    return parseIp(from) === undefined || !isEnd ? notAddress(text) : undefined;
  },
};

export const endpoint: ValueKind = {
  what: 'ADDRESS:PORT ([ADDRESS]:PORT for IPv6)',
  problemOf: (text) => (readEndpoint(text) === undefined ? invalid(text, endpoint) : undefined),
};

/** A mask of IPv4 in dots, or a prefix length. */
export const mask: ValueKind = {
  what: 'a mask (255.255.255.0) or a prefix length',
  problemOf: (text) => {
    const length = readInteger(text);
    if (length === undefined ? readMask(text) !== undefined : length >= 1 && length <= 128) return undefined;
    return { code: 'invalid-mask', text: `${text} is no mask: expected ${mask.what}` };
  },
};

/** The prefix length of a mask in dots; undefined when it is none. */
export function readMask(text: string): number | undefined {
  const ip = parseIp(text);
  if (ip === undefined || ip.includes(':')) return undefined;
  return maskLength(ip);
}

export const hexDigits: ValueKind = {
  what: 'hexadecimal digits',
  problemOf: (text) => (/^[0-9a-fA-FxX]+$/.test(text) ? undefined : invalid(text, hexDigits)),
};

/** One of the words; `ignoreCase` for those that keepalived compares without case. */
export function oneOf(
  words: readonly string[],
  options: {
    readonly ignoreCase?: boolean;
    /** Words in lower case that are used elsewhere for one of these. */
    readonly otherNames?: Readonly<Record<string, string>>;
  } = {},
): ValueKind {
  const known = new Set(words);
  const kind: ValueKind = {
    what: words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    problemOf: (text) => {
      if (known.has(text)) return undefined;
      const sameLetters = words.find((word) => word.toLowerCase() === text.toLowerCase());
      if (sameLetters !== undefined && options.ignoreCase) return undefined;
      const meant = sameLetters ?? options.otherNames?.[text.toLowerCase()] ?? nearest(text, words);
      return { ...invalid(text, kind), ...(meant === undefined ? {} : { help: `did you mean ${meant}?` }) };
    },
  };
  return kind;
}

/** Any of the kinds. */
export function either(what: string, ...kinds: readonly ValueKind[]): ValueKind {
  const kind: ValueKind = {
    what,
    problemOf: (text) =>
      kinds.some((candidate) => candidate.problemOf(text) === undefined) ? undefined : invalid(text, kind),
  };
  return kind;
}

function notAddress(text: string): Problem {
  const problem: Problem = { code: 'invalid-address', text: `${text} is no IPv4 or IPv6 address` };
  const glued = readEndpoint(text);
  if (glued !== undefined) return { ...problem, help: `write ${glued.address} ${glued.port}` };
  const isDotted = /^\d+(?:\.\d+)*$/.test(text);
  return isDotted ? { ...problem, help: 'an IPv4 address is four numbers from 0 to 255' } : problem;
}

/** Address and mask can both be wrong. */
function notPrefix(host: string, length: string | undefined): Problem {
  const problem = notAddress(host);
  const bits = host.includes(':') ? 128 : 32;
  const number = length === undefined ? 0 : readInteger(length);
  if (number !== undefined && number >= 0 && number <= bits) return problem;
  return { ...problem, text: `${problem.text}, and /${length} is no prefix length from 0 to ${bits}` };
}

function invalid(text: string, kind: ValueKind): Problem {
  return { code: 'invalid-value', text: `${text === '' ? 'an empty word' : text} is not ${kind.what}` };
}
