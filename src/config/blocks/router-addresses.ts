// virtual_ipaddress, virtual_ipaddress_excluded and virtual_routes of a vrrp_instance, and the family that follows from
// them: that of the first address. keepalived drops addresses of the other family; here they go with the excluded ones.

import { type Family, familyOf, parseIp } from '../../model/address.js';
import type { VirtualAddress, VirtualRoute } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import type { Block } from '../tree.js';
import { flagOf, textOf } from './settings.js';
import { readAddressLine } from './virtual-addresses.js';
import { readRouteLine } from './virtual-routes.js';

export type RouterAddresses = {
  readonly family: Family;
  readonly addresses: readonly VirtualAddress[];
  readonly excludedAddresses: readonly VirtualAddress[];
  readonly routes: readonly VirtualRoute[];
  /** Devices other than the instance's that come with addresses and routes and are tracked (`no_track` is not there). */
  readonly trackedDevices: readonly string[];
};

/** Adverts count addresses in one byte. */
const maxAdvertised = 255;
const linesPerStep = 64;

type WrittenAddress = { readonly place: Word; readonly address: VirtualAddress; readonly isTracked: boolean };

/** Yields between some dozens of lines. */
export function* readRouterAddresses(block: Block, report: Report): Generator<void, RouterAddresses> {
  const advertised = yield* readLines(block, 'virtual_ipaddress', report);
  const excluded = yield* readLines(block, 'virtual_ipaddress_excluded', report);
  const family = familyFrom(block, advertised, excluded);
  const others = advertised.filter(({ address }) => familyOf(address.address) !== family);
  for (const { place } of others) {
    const message = `${place.text} is not IPv${family} as the first address is: it comes and goes with the others, but stands in no advert`;
    const help = 'write it into virtual_ipaddress_excluded, or make an instance for each family';
    report.add('other-family', place, message, help);
  }
  const own = advertised.filter(({ address }) => familyOf(address.address) === family);
  const beyond = own[maxAdvertised];
  if (beyond !== undefined) {
    const message = `an advert holds ${maxAdvertised} addresses: from here on they stand in no advert`;
    report.add('no-effect', beyond.place, message, 'write the rest into virtual_ipaddress_excluded');
  }
  const all = [...own, ...others, ...excluded];
  reportDuplicates(all, report);
  const routes: VirtualRoute[] = [];
  const routeDevices: string[] = [];
  for (const words of linesOf(block, 'virtual_routes')) {
    const route = readRouteLine(words, report);
    if (route === undefined) continue;
    routes.push(route);
    if (route.device !== undefined && !isUntracked(words)) routeDevices.push(route.device);
  }
  const addressDevices = all.flatMap(({ address, isTracked }) =>
    isTracked && address.device !== undefined ? [address.device] : [],
  );
  const addresses = own.map(({ address }) => address);
  return {
    family,
    addresses: addresses.slice(0, maxAdvertised),
    excludedAddresses: [
      ...addresses.slice(maxAdvertised),
      ...[...others, ...excluded].map(({ address }) => address),
    ],
    routes,
    trackedDevices: [...new Set([...addressDevices, ...routeDevices])],
  };
}

function* readLines(block: Block, name: string, report: Report): Generator<void, WrittenAddress[]> {
  const found: WrittenAddress[] = [];
  for (const [i, words] of linesOf(block, name).entries()) {
    const address = readAddressLine(words, report);
    const [place] = words;
    if (address !== undefined && place !== undefined) {
      found.push({ place, address, isTracked: !isUntracked(words) });
    }
    if (i % linesPerStep === linesPerStep - 1) yield;
  }
  return found;
}

function linesOf(block: Block, name: string): (readonly Word[])[] {
  return block.repeated.flatMap(({ shape, block: list }) =>
    shape.name === name && list !== undefined ? list.items : [],
  );
}

function isUntracked(words: readonly Word[]): boolean {
  return words.some(({ text }, i) => i > 0 && text === 'no_track');
}

/** Without addresses: that of the peers or of the source address, at last what `native_ipv6` says. */
function familyFrom(
  block: Block,
  advertised: readonly WrittenAddress[],
  excluded: readonly WrittenAddress[],
): Family {
  const peer = linesOf(block, 'unicast_peer')[0]?.[0]?.text;
  const texts = [peer, textOf(block, 'unicast_src_ip'), textOf(block, 'mcast_src_ip')];
  const written = texts.flatMap((text) => parseIp(text ?? '') ?? []);
  const first = advertised[0]?.address.address ?? written[0] ?? excluded[0]?.address.address;
  if (first !== undefined) return familyOf(first);
  return flagOf(block, 'native_ipv6') ? 6 : 4;
}

function reportDuplicates(all: readonly WrittenAddress[], report: Report): void {
  const seen = new Map<string, Word>();
  for (const { address, place } of all) {
    const key = `${address.address}/${address.length} ${address.device ?? ''}`;
    const before = seen.get(key);
    if (before === undefined) {
      seen.set(key, place);
    } else {
      const message = `${place.text} stands in line ${before.line} already`;
      report.add('duplicate-address', place, message, 'remove one of them');
    }
  }
}
