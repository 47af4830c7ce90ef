// The lines of virtual_routes { }, which follow `ip route`: `[src ADDRESS] [to] ADDRESS/LENGTH [via ADDRESS] [dev DEVICE]
// [metric N] [table N] [scope WORD] [onlink]`, or `blackhole ADDRESS/LENGTH` and the like. A route of another kind is left
// out and named; an option without effect is named.

import { type IpAddress, type Prefix, parseIp } from '../../model/address.js';
import { nearest } from '../../model/nearest.js';
import { routeKinds, scopes, type VirtualRoute } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { networkOf, readInteger, readPrefix } from '../values.js';

/** Kinds of `ip route` that no virtual router has. */
const otherKinds = ['local', 'broadcast', 'multicast', 'nat'];

const scopeNumbers = { global: '0', site: '200', link: '253', host: '254' } as const;

/** Numbers of the tables that every machine names so; /etc/iproute2 is this machine's. */
const tables: Readonly<Record<string, number>> = { main: 254, default: 253, local: 255 };

type Reader = {
  readonly words: readonly Word[];
  at: number;
  readonly report: Report;
};

/** undefined when the route was refused or is left out. */
export function readRouteLine(words: readonly Word[], report: Report): VirtualRoute | undefined {
  const reader: Reader = { words, at: 0, report };
  const route: { -readonly [Name in keyof VirtualRoute]?: VirtualRoute[Name] } = {};
  let leftOut: Word | undefined;
  for (let word = words[reader.at]; word !== undefined; word = words[reader.at]) {
    reader.at++;
    const { text } = word;
    if (
      text === 'to' ||
      (route.destination === undefined && (text === 'default' || readPrefix(text) !== undefined))
    ) {
      const place = text === 'to' ? valueAfter(reader, word) : word;
      if (place === undefined) return undefined;
      const destination = readDestination(place, words, report);
      if (destination === undefined) return undefined;
      route.destination = destination;
    } else if (text === 'via' || text === 'gw') route.gateway = addressAfter(reader, word);
    else if (text === 'src' || text === 'from') route.source = addressAfter(reader, word);
    else if (text === 'dev' || text === 'oif') route.device = valueAfter(reader, word)?.text;
    else if (text === 'metric' || text === 'preference' || text === 'priority')
      route.metric = numberAfter(reader, word);
    else if (text === 'table') route.table = tableAfter(reader, word);
    else if (text === 'onlink') route.isOnLink = true;
    else if (text === 'scope') route.scope = scopeAfter(reader, word);
    else if (text === 'no_track') continue;
    else if (isKind(text)) route.kind = text;
    else if (otherKinds.includes(text) || text === 'nexthop' || text === 'or') {
      leftOut = word;
      if (text === 'or' || text === 'nexthop') break;
    } else if (text in optionsLater) {
      report.addOnce('not-in-effect-yet', `route ${text}`, word, `${text} of a route is not in effect yet`);
      // `mtu lock 1400`: path MTU discovery does not change it.
      if (words[reader.at]?.text === 'lock') reader.at++;
      reader.at += optionsLater[text] ?? 0;
    } else {
      reportUnknown(word, report);
      return undefined;
    }
  }
  if (leftOut !== undefined) {
    const message = `${leftOut.text} is not in effect yet: this route is left out`;
    report.addOnce('not-in-effect-yet', `route ${leftOut.text}`, leftOut, message);
    return undefined;
  }
  const [first] = words;
  if (route.destination === undefined) {
    if (first !== undefined)
      report.add('missing-value', first, 'this route has no destination', 'write ADDRESS/LENGTH, or default');
    return undefined;
  }
  const { destination, gateway, device, source, metric, table, scope, isOnLink = false } = route;
  const { kind = 'unicast' } = route;
  for (const [name, other] of [
    ['via', gateway],
    ['src', source],
  ] as const) {
    if (other === undefined || first === undefined || isIpv6(other) === isIpv6(destination.address)) continue;
    report.add('family-mismatch', first, `${name} ${other} and ${destination.address} are not of one family`);
  }
  return { kind, destination, gateway, device, source, metric, table, scope, isOnLink };
}

/** Options that are read and passed over, with the number of their values. */
const optionsLater: Readonly<Record<string, number>> = {
  proto: 1,
  protocol: 1,
  tos: 1,
  dsfield: 1,
  mtu: 1,
  window: 1,
  rtt: 1,
  rttvar: 1,
  rto_min: 1,
  ssthresh: 1,
  cwnd: 1,
  initcwnd: 1,
  initrwnd: 1,
  reordering: 1,
  advmss: 1,
  hoplimit: 1,
  quickack: 1,
  congctl: 1,
  features: 1,
  realms: 1,
  expires: 1,
  pref: 1,
  ttl_propagate: 1,
  fastopen_no_cookie: 1,
  weight: 1,
  pervasive: 0,
  track_group: 1,
};

function valueAfter(reader: Reader, option: Word): Word | undefined {
  const value = reader.words[reader.at++];
  if (value === undefined) reader.report.add('missing-value', option, `${option.text} needs a value`);
  return value;
}

/** `via inet6 ADDRESS` names the family first. */
function addressAfter(reader: Reader, option: Word): IpAddress | undefined {
  let word = valueAfter(reader, option);
  if (word?.text === 'inet' || word?.text === 'inet6') word = valueAfter(reader, option);
  if (word === undefined) return undefined;
  const address = parseIp(word.text);
  if (address === undefined)
    reader.report.add('invalid-address', word, `${word.text} is no IPv4 or IPv6 address`);
  return address;
}

function isKind(text: string): text is VirtualRoute['kind'] {
  return (routeKinds as readonly string[]).includes(text);
}

function scopeAfter(reader: Reader, option: Word): VirtualRoute['scope'] {
  const word = valueAfter(reader, option);
  const known = scopes.find((scope) => scope === word?.text || scopeNumbers[scope] === word?.text);
  if (word !== undefined && known === undefined) {
    reader.report.add('invalid-value', word, `${word.text} is not ${scopes.join(', ')}`);
  }
  return known;
}

function numberAfter(reader: Reader, option: Word): number | undefined {
  const word = valueAfter(reader, option);
  const number = readInteger(word?.text ?? '');
  if (word !== undefined && (number === undefined || number < 0 || number > 4_294_967_295)) {
    reader.report.add('invalid-value', word, `${word.text} is not a whole number`);
  }
  return number;
}

function tableAfter(reader: Reader, option: Word): number | undefined {
  const word = reader.words[reader.at];
  const number = tables[word?.text ?? ''];
  if (number === undefined) return numberAfter(reader, option);
  reader.at++;
  return number;
}

function readDestination(place: Word, line: readonly Word[], report: Report): Prefix | undefined {
  if (place.text === 'default') {
    const isSix = line.some(({ text }) => text === 'inet6' || parseIp(text)?.includes(':') === true);
    return { address: (isSix ? '::' : '0.0.0.0') as IpAddress, length: 0 };
  }
  const prefix = readPrefix(place.text);
  if (prefix === undefined) {
    report.add('invalid-address', place, `${place.text} is no destination`);
    return undefined;
  }
  const network = networkOf(prefix);
  if (network !== prefix.address) {
    const message = `${place.text} is a host in a network, which no route leads to`;
    report.add(
      'invalid-mask',
      place,
      message,
      `write ${network}/${prefix.length}, or ${prefix.address} alone`,
    );
  }
  return prefix;
}

function isIpv6(address: IpAddress): boolean {
  return address.includes(':');
}

function reportUnknown(word: Word, report: Report): void {
  const known = [
    'to',
    'via',
    'src',
    'dev',
    'metric',
    'table',
    ...routeKinds,
    ...otherKinds,
    ...Object.keys(optionsLater),
  ];
  const meant = nearest(word.text, known);
  const help = meant === undefined ? 'a route is written as for ip route' : `did you mean ${meant}?`;
  report.add('invalid-value', word, `${word.text} is no word of a route`, help);
}
