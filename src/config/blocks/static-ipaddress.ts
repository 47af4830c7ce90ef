// static_ipaddress { }: addresses that the director adds at start and removes at stop. As in keepalived, scope and
// label are IPv4's alone, and an address without a mask stands for itself.

import { formatIp, type IpAddress, ipBytes, type Prefix } from '../../model/address.js';
import type { StaticAddress } from '../../model/director-config.js';
import { addressOptionsLater } from '../grammar/addresses.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { readPrefix } from '../values.js';
import { originOf } from './settings.js';

const scopes: readonly StaticAddress['scope'][] = ['global', 'link', 'host', 'site'];

/** The lines of all blocks. */
export function readStaticAddresses(
  lines: readonly (readonly Word[])[],
  defaultInterface: string,
  report: Report,
): StaticAddress[] {
  const addresses = new Map<string, StaticAddress>();
  for (const words of lines) {
    const address = readStaticAddress(words, defaultInterface, report);
    const [first] = words;
    if (address === undefined || first === undefined) continue;
    const key = `${address.address}/${address.length} ${address.device}`;
    const before = addresses.get(key);
    if (before === undefined) {
      addresses.set(key, address);
    } else {
      const message = `${first.text} on ${address.device} stands in line ${before.origin.line} already`;
      report.add('duplicate-address', first, message, 'remove one of them');
    }
  }
  return [...addresses.values()];
}

/** undefined when the address was refused. */
function readStaticAddress(
  words: readonly Word[],
  defaultInterface: string,
  report: Report,
): StaticAddress | undefined {
  const first = words[0];
  const prefix = first === undefined ? undefined : readPrefix(first.text);
  if (first === undefined || prefix === undefined) return undefined;
  const optionOf = (option: string): Word | undefined => {
    const at = words.findIndex((word, i) => i > 0 && word.text === option);
    return at < 0 ? undefined : words[at + 1];
  };
  for (const word of words.slice(1)) {
    if (addressOptionsLater.some((option) => option === word.text)) {
      report.addOnce('not-in-effect-yet', `address ${word.text}`, word, `${word.text} is not in effect yet`);
    }
  }
  const isIpv6 = prefix.address.includes(':');
  const label = optionOf('label');
  const scope = optionOf('scope');
  if (isIpv6) for (const word of [label, scope]) if (word !== undefined) reportIpv4Only(word, report);
  return {
    ...prefix,
    device: optionOf('dev')?.text ?? defaultInterface,
    label: isIpv6 ? undefined : label?.text,
    scope: isIpv6 || scope === undefined ? 'global' : readScope(scope, report),
    broadcast: broadcastOf(optionOf('brd') ?? optionOf('broadcast'), prefix),
    origin: originOf(first),
  };
}

function reportIpv4Only(word: Word, report: Report): void {
  report.add('no-effect', word, 'an IPv6 address takes neither scope nor label', 'remove it');
}

function readScope(word: Word, report: Report): StaticAddress['scope'] {
  const scope = scopes.find((candidate) => candidate === word.text);
  if (scope === undefined) {
    const message = `scope ${word.text} is not in effect yet: global is taken`;
    report.addOnce('not-in-effect-yet', `scope ${word.text}`, word, message);
  }
  return scope ?? 'global';
}

/** `+` sets the host bits, `-` clears them. */
function broadcastOf(word: Word | undefined, prefix: Prefix): IpAddress | undefined {
  if (word === undefined || prefix.address.includes(':')) return undefined;
  if (word.text !== '+' && word.text !== '-') return readPrefix(word.text)?.address;
  const bytes = ipBytes(prefix.address);
  for (const [i, byte] of bytes.entries()) {
    const hostBits = 0xff >> Math.min(8, Math.max(0, prefix.length - i * 8));
    bytes[i] = word.text === '+' ? byte | hostBits : byte & ~hostBits;
  }
  return formatIp(bytes);
}
