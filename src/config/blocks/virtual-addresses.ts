// The lines of address blocks (static_ipaddress, virtual_ipaddress, virtual_ipaddress_excluded). As in keepalived, scope
// and label are IPv4's alone, and an address without a mask stands for itself.

import { formatIp, type IpAddress, ipBytes, type Prefix } from '../../model/address.js';
import { scopes, type VirtualAddress } from '../../model/virtual-router.js';
import { addressOptionsLater } from '../grammar/addresses.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { readPrefix } from '../values.js';

/** undefined when the address was refused. */
export function readAddressLine(words: readonly Word[], report: Report): VirtualAddress | undefined {
  const first = words[0];
  const prefix = first === undefined ? undefined : readPrefix(first.text);
  if (prefix === undefined) return undefined;
  const { address, length } = prefix;
  // Most lines are an address alone, and there may be many.
  if (words.length === 1) return { address, length, ...noOptions };
  const optionOf = (option: string): Word | undefined => {
    const at = words.findIndex((word, i) => i > 0 && word.text === option);
    return at < 0 ? undefined : words[at + 1];
  };
  for (const word of words.slice(1)) {
    if (addressOptionsLater.some((option) => option === word.text)) {
      report.addOnce('not-in-effect-yet', `address ${word.text}`, word, `${word.text} is not in effect yet`);
    }
  }
  const isIpv6 = address.includes(':');
  const label = optionOf('label');
  const scope = optionOf('scope');
  if (isIpv6) for (const word of [label, scope]) if (word !== undefined) reportIpv4Only(word, report);
  return {
    address,
    length,
    device: optionOf('dev')?.text,
    label: isIpv6 ? undefined : label?.text,
    scope: isIpv6 || scope === undefined ? 'global' : readScope(scope, report),
    broadcast: broadcastOf(optionOf('brd') ?? optionOf('broadcast'), prefix, report),
  };
}

const noOptions = { device: undefined, label: undefined, scope: 'global', broadcast: undefined } as const;

function reportIpv4Only(word: Word, report: Report): void {
  report.add('no-effect', word, 'an IPv6 address takes neither scope nor label', 'remove it');
}

function readScope(word: Word, report: Report): VirtualAddress['scope'] {
  const scope = scopes.find((candidate) => candidate === word.text);
  if (scope === undefined) {
    const message = `scope ${word.text} is not in effect yet: global is taken`;
    report.addOnce('not-in-effect-yet', `scope ${word.text}`, word, message);
  }
  return scope ?? 'global';
}

/** `+` sets the host bits, `-` clears them. */
function broadcastOf(word: Word | undefined, prefix: Prefix, report: Report): IpAddress | undefined {
  if (word === undefined || prefix.address.includes(':')) return undefined;
  if (word.text !== '+' && word.text !== '-') {
    const broadcast = readPrefix(word.text)?.address;
    if (broadcast?.includes(':')) {
      report.add('family-mismatch', word, `${broadcast} is no broadcast address of ${prefix.address}`);
    }
    return broadcast;
  }
  const bytes = ipBytes(prefix.address);
  for (const [i, byte] of bytes.entries()) {
    const hostBits = 0xff >> Math.min(8, Math.max(0, prefix.length - i * 8));
    bytes[i] = word.text === '+' ? byte | hostBits : byte & ~hostBits;
  }
  return formatIp(bytes);
}
