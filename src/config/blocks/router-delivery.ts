// How the adverts of a vrrp_instance travel: family, group or peers, source address, password.

import { type Family, familyOf, type IpAddress } from '../../model/address.js';
import { decodeText, encodeText } from '../../model/text.js';
import type {
  Authentication,
  Delivery,
  UnicastPeer,
  VirtualRouter,
  VrrpVersion,
} from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import { flag, type Lines, setting, unless, word } from '../print-words.js';
import type { Report } from '../report.js';
import { type Block, settingOf } from '../tree.js';
import { readAddress, readInteger } from '../values.js';
import { addressOf, flagOf, integerOf, textOf } from './settings.js';

export const defaultGroup4 = '224.0.0.18' as IpAddress;
export const defaultGroup6 = 'ff02::12' as IpAddress;

/** What global_defs says. */
export type DeliveryDefaults = {
  readonly group4: IpAddress;
  readonly group6: IpAddress;
  readonly checksUnicastSource: boolean;
};

export function readDelivery(
  block: Block,
  family: Family,
  defaults: DeliveryDefaults,
  report: Report,
): Delivery {
  const lists = block.repeated.filter(({ shape }) => shape.name === 'unicast_peer');
  const [first] = lists;
  const waitsForPeers = flagOf(block, 'unicast_fault_no_peer') ?? false;
  if (first === undefined && !waitsForPeers) {
    reportNoPeers(block, report);
    return { kind: 'multicast', group: readGroup(block, family, defaults, report) };
  }
  const lines = lists.flatMap((list) => list.block?.items ?? []);
  const own = addressOf(block, 'unicast_src_ip');
  const peers = readPeers(lines, family, own, report);
  const namesNobody = lines.every(([word]) => own !== undefined && readAddress(word?.text) === own);
  if (first !== undefined && namesNobody && !waitsForPeers) {
    const message = 'unicast_peer names nobody: no advert would be sent';
    report.add('missing-value', first.keyword, message, 'write the addresses of the other directors into it');
  }
  return {
    kind: 'unicast',
    peers,
    checksSource: readSourceCheck(block, lines, defaults),
    ttl: integerOf(block, 'unicast_ttl') ?? 255,
  };
}

/** As in keepalived, a limit of the TTL can only be held against a known peer. */
function readSourceCheck(
  block: Block,
  lines: readonly (readonly Word[])[],
  defaults: DeliveryDefaults,
): boolean {
  const hasLimits = lines.some((words) => words.length > 1);
  return hasLimits || (flagOf(block, 'check_unicast_src') ?? defaults.checksUnicastSource);
}

/** keepalived's old files name a source for unicast, and no peers. */
function reportNoPeers(block: Block, report: Report): void {
  for (const name of ['unicast_src_ip', 'unicast_ttl', 'check_unicast_src']) {
    const place = settingOf(block, name)?.keyword;
    if (place === undefined) continue;
    const message = `${name} without unicast_peer: adverts go to the multicast group`;
    report.add('no-effect', place, message, 'write unicast_peer { ADDRESS }, or remove it');
  }
}

function readGroup(block: Block, family: Family, defaults: DeliveryDefaults, report: Report): IpAddress {
  const usual = family === 4 ? defaults.group4 : defaults.group6;
  const group = addressOf(block, 'mcast_dst_ip');
  const place = settingOf(block, 'mcast_dst_ip')?.arguments[0];
  if (group === undefined || place === undefined) return usual;
  if (familyOf(group) !== family) reportFamily(place, family, report);
  return group;
}

/** `own`: the source of unicast adverts, where it is written. Who hands one list to all directors has it among the peers. */
function readPeers(
  lines: readonly (readonly Word[])[],
  family: Family,
  own: IpAddress | undefined,
  report: Report,
): UnicastPeer[] {
  const peers = new Map<IpAddress, UnicastPeer>();
  for (const words of lines) {
    const [first] = words;
    const address = readAddress(first?.text);
    if (first === undefined || address === undefined) continue;
    if (familyOf(address) !== family) {
      reportFamily(first, family, report);
      continue;
    }
    if (address === own) {
      const message = `${address} is this director itself (unicast_src_ip): no advert goes there`;
      report.add('as-keepalived', first, message, 'leave it out');
      continue;
    }
    if (peers.has(address)) {
      report.add('duplicate-address', first, `${address} stands here already`, 'remove one of them');
      continue;
    }
    const optionOf = (name: string) => {
      const at = words.findIndex(({ text }) => text === name);
      return at < 0 ? undefined : readInteger(words[at + 1]?.text ?? '');
    };
    const [minTtl, maxTtl] = [optionOf('min_ttl') ?? 0, optionOf('max_ttl') ?? 255];
    if (minTtl > maxTtl) {
      const message = `min_ttl ${minTtl} is above max_ttl ${maxTtl}: no advert could come`;
      report.add('invalid-value', first, message);
    }
    peers.set(address, { address, minTtl, maxTtl });
  }
  return [...peers.values()];
}

/** `mcast_src_ip` and `unicast_src_ip` say the same. */
export function readSource(block: Block, family: Family, report: Report): IpAddress | undefined {
  const name = settingOf(block, 'unicast_src_ip') === undefined ? 'mcast_src_ip' : 'unicast_src_ip';
  const source = addressOf(block, name);
  const place = settingOf(block, name)?.arguments[0];
  if (source === undefined || place === undefined) return undefined;
  if (familyOf(source) !== family) reportFamily(place, family, report);
  return source;
}

function reportFamily(place: Word, family: Family, report: Report): void {
  const message = `${place.text} is not IPv${family}, which this instance's virtual addresses are`;
  report.add('family-mismatch', place, message, 'make one instance for IPv4 and one for IPv6');
}

const passwordLength = 8;

/** Version 2 has a password of eight bytes; version 3 has none. */
export function readAuthentication(block: Block, version: VrrpVersion, report: Report): Authentication {
  const none: Authentication = { kind: 'none' };
  const statement = settingOf(block, 'authentication');
  const inner = statement?.block;
  if (statement === undefined || inner === undefined) return none;
  const type = settingOf(inner, 'auth_type');
  const password = settingOf(inner, 'auth_pass')?.arguments[0];
  if (version === 3) {
    const message = 'version 3 has no authentication: none is taken';
    report.add('auth-ignored', statement.keyword, message, 'remove it, or write version 2');
    return none;
  }
  if (textOf(inner, 'auth_type') === 'AH') {
    const message =
      'auth_type AH is not in effect yet: adverts go without it, and a peer that uses AH and this director do not ' +
      'understand each other: both would be master';
    report.add(
      'not-in-effect-yet',
      type?.keyword ?? statement.keyword,
      message,
      'write auth_type PASS on both',
    );
    return none;
  }
  if (type === undefined || password === undefined) {
    const missing = type === undefined ? 'auth_type' : 'auth_pass';
    report.add(
      'auth-ignored',
      statement.keyword,
      `without ${missing} there is no authentication`,
      `write ${missing}`,
    );
    return none;
  }
  const bytes = encodeText(password.text);
  if (bytes.length <= passwordLength) return { kind: 'simple', password: password.text };
  // Bytes count: the cut may go through a character, as in keepalived.
  const cut = decodeText(bytes.subarray(0, passwordLength));
  report.add('auth-cut', password, `a password has ${passwordLength} bytes at most: ${cut} is taken`);
  return { kind: 'simple', password: cut };
}

export function authenticationLines({ authentication }: VirtualRouter): Lines {
  if (authentication.kind === 'none') return [];
  return [['authentication', ['auth_type PASS', `auth_pass ${word(authentication.password)}`]]];
}

/** With the source address, whose keyword depends on the way. */
export function deliveryLines({ delivery, family, source }: VirtualRouter): Lines {
  if (delivery.kind === 'multicast') {
    return [
      ...setting('mcast_dst_ip', unless(delivery.group, family === 4 ? defaultGroup4 : defaultGroup6)),
      ...setting('mcast_src_ip', source),
    ];
  }
  return [
    ...setting('unicast_src_ip', source),
    [
      'unicast_peer',
      delivery.peers.map(({ address, minTtl, maxTtl }) =>
        [address, ...setting('min_ttl', unless(minTtl, 0)), ...setting('max_ttl', unless(maxTtl, 255))].join(
          ' ',
        ),
      ),
    ],
    ...setting('unicast_ttl', unless(delivery.ttl, 255)),
    ...flag('check_unicast_src', delivery.checksSource),
    ...flag('unicast_fault_no_peer', delivery.peers.length === 0),
  ];
}
