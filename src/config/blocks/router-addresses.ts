// virtual_ipaddress, virtual_ipaddress_excluded and virtual_routes of a vrrp_instance, and the family that follows from
// them: that of the first address. keepalived drops addresses of the other family; here they go with the excluded ones.

import { type Family, familyOf } from '../../model/address.js';
import type { VirtualAddress, VirtualRoute, VirtualRouter } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import { flag, type Lines, setting, word } from '../print-words.js';
import type { Report } from '../report.js';
import type { Block } from '../tree.js';
import { readAddress } from '../values.js';
import { flagOf, textOf } from './settings.js';
import { readAddressLine } from './virtual-addresses.js';
import { readRouteLine } from './virtual-routes.js';

export type RouterAddresses = {
  readonly family: Family;
  readonly addresses: readonly VirtualAddress[];
  readonly excludedAddresses: readonly VirtualAddress[];
  readonly routes: readonly VirtualRoute[];
  /** Devices that addresses and routes name, in order; those are tracked where it is not said otherwise (`no_track`). */
  readonly devices: readonly { readonly name: string; readonly isTracked: boolean }[];
};

/** Adverts count addresses in one byte, and those of IPv6 fill an Ethernet frame before; keepalived has the same bounds. */
const maxAdvertised: Readonly<Record<Family, number>> = { 4: 255, 6: 89 };
type WrittenAddress = {
  readonly place: Word;
  readonly address: VirtualAddress;
  readonly isExcluded: boolean;
  readonly isTracked: boolean;
};

/** Yields between some dozens of lines. */
export function readRouterAddresses(block: Block, device: string, report: Report): RouterAddresses {
  const advertised = readLines(block, 'virtual_ipaddress', report);
  const excluded = readLines(block, 'virtual_ipaddress_excluded', report);
  const family = familyFrom(block, advertised);
  const others = advertised.filter(({ address }) => familyOf(address.address) !== family);
  for (const { place } of others) {
    const message = `${place.text} is not IPv${family} as the first address is: it comes and goes with the others, but stands in no advert`;
    const help = 'write it into virtual_ipaddress_excluded, or make an instance for each family';
    report.add('other-family', place, message, help);
  }
  const all = withoutDuplicates([...advertised, ...excluded], device, report);
  const isOwn = ({ address, isExcluded }: WrittenAddress) =>
    !isExcluded && familyOf(address.address) === family;
  const own = all.filter(isOwn);
  const most = maxAdvertised[family];
  const beyond = own[most];
  if (beyond !== undefined) {
    const message = `an advert holds ${most} IPv${family} addresses: from here on they come and go with the others, and stand in no advert`;
    report.add('no-effect', beyond.place, message, 'write the rest into virtual_ipaddress_excluded');
  }
  const stepAside = [...own.slice(most), ...all.filter((written) => !isOwn(written))];
  const routes: VirtualRoute[] = [];
  const devices = new Map<string, boolean>();
  const note = (name: string | undefined, isTracked: boolean): void => {
    if (name !== undefined) devices.set(name, isTracked || devices.get(name) === true);
  };
  for (const { address, isTracked } of [...own, ...stepAside]) note(address.device, isTracked);
  for (const words of linesOf(block, 'virtual_routes')) {
    const route = readRouteLine(words, report);
    if (route === undefined) continue;
    routes.push(route);
    note(route.device, !isUntracked(words));
  }
  return {
    family,
    addresses: own.slice(0, most).map(({ address }) => address),
    excludedAddresses: stepAside.map(({ address }) => address),
    routes,
    devices: [...devices].map(([name, isTracked]) => ({ name, isTracked })),
  };
}

function readLines(
  block: Block,
  name: 'virtual_ipaddress' | 'virtual_ipaddress_excluded',
  report: Report,
): WrittenAddress[] {
  const found: WrittenAddress[] = [];
  for (const words of linesOf(block, name)) {
    const address = readAddressLine(words, report);
    const [place] = words;
    if (address !== undefined && place !== undefined) {
      found.push({
        place,
        address,
        isExcluded: name === 'virtual_ipaddress_excluded',
        isTracked: !isUntracked(words),
      });
    }
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
function familyFrom(block: Block, advertised: readonly WrittenAddress[]): Family {
  const peer = linesOf(block, 'unicast_peer')[0]?.[0]?.text;
  const texts = [peer, textOf(block, 'unicast_src_ip'), textOf(block, 'mcast_src_ip')];
  const written = texts.flatMap((text) => readAddress(text) ?? []);
  const first = advertised[0]?.address.address ?? written[0];
  if (first !== undefined) return familyOf(first);
  return flagOf(block, 'native_ipv6') ? 6 : 4;
}

/** An address stands once on a device; the first one counts. */
function withoutDuplicates(all: readonly WrittenAddress[], device: string, report: Report): WrittenAddress[] {
  const seen = new Map<string, Word>();
  const unique: WrittenAddress[] = [];
  for (const written of all) {
    const { address, place } = written;
    const key = `${address.address} ${address.device ?? device}`;
    const before = seen.get(key);
    if (before === undefined) {
      seen.set(key, place);
      unique.push(written);
    } else {
      const message = `${place.text} stands in line ${before.line} already: that one counts`;
      report.add('duplicate-address', place, message, 'remove one of them');
    }
  }
  return unique;
}

export function addressBlock(
  name: string,
  addresses: readonly VirtualAddress[],
  router: VirtualRouter,
): Lines {
  return addresses.length === 0 ? [] : [[name, addresses.map((address) => addressLine(address, router))]];
}

function addressLine(entry: VirtualAddress, router: VirtualRouter): string {
  return [...addressWords(entry), ...untracked(entry.device, router)].join(' ');
}

/** An address with its options, as they stand in any block of addresses. */
export function addressWords({
  address,
  length,
  broadcast,
  device,
  scope,
  label,
}: Pick<VirtualAddress, 'address' | 'length' | 'broadcast' | 'device' | 'scope' | 'label'>): string[] {
  return [
    `${address}/${length}`,
    ...setting('brd', broadcast),
    ...setting('dev', word(device)),
    ...(scope === 'global' ? [] : [`scope ${scope}`]),
    ...setting('label', word(label)),
  ];
}

export function routeBlock(router: VirtualRouter): Lines {
  if (router.routes.length === 0) return [];
  return [['virtual_routes', router.routes.map((route) => routeLine(route, router))]];
}

function routeLine(route: VirtualRoute, router: VirtualRouter): string {
  return [
    ...(route.kind === 'unicast' ? [] : [route.kind]),
    ...setting('src', route.source),
    `${route.destination.address}/${route.destination.length}`,
    ...setting('via', route.gateway),
    ...setting('dev', word(route.device)),
    ...setting('scope', route.scope),
    ...flag('onlink', route.isOnLink),
    ...setting('metric', route.metric),
    ...setting('table', route.table),
    // keepalived has a remark about a route that it cannot track.
    ...(route.device === undefined ? ['no_track'] : untracked(route.device, router)),
  ].join(' ');
}

/** A device that comes with an address or route is tracked unless that is said. */
function untracked(device: string | undefined, router: VirtualRouter): string[] {
  if (device === undefined || device === router.device) return [];
  return flag('no_track', !tracksDevice(router, device));
}

function tracksDevice({ tracks }: VirtualRouter, device: string): boolean {
  return tracks.some(({ kind, name }) => kind === 'interface' && name === device);
}
