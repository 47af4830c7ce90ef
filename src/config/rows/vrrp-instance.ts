// Every setting of vrrp_instance, one row a field of the virtual router; announcements and notifications have tables of
// their own. What takes more than a value (addresses, peers, tracks) is read and printed by functions in ../blocks.

import {
  defaultAdvertLease,
  defaultReleaseBudget,
  type VirtualRouter,
  type VrrpVersion,
  virtualRouterDefaults,
} from '../../model/virtual-router.js';
import { addressBlock, type RouterAddresses, routeBlock } from '../blocks/router-addresses.js';
import {
  authenticationLines,
  type DeliveryDefaults,
  deliveryLines,
  readAuthentication,
  readDelivery,
  readSource,
} from '../blocks/router-delivery.js';
import {
  readInterval,
  readPreempt,
  readPreemptDelay,
  readPriority,
  readVersion,
} from '../blocks/router-election.js';
import { readRouterTracks, routerTrackLines } from '../blocks/router-tracks.js';
import { choiceOf } from '../blocks/settings.js';
import type { Trackables } from '../blocks/tracks.js';
import { macLine } from '../blocks/virtual-mac.js';
import { routesOrRules, trackShapes, virtualAddresses } from '../grammar/addresses.js';
import { either, first, type Notation, not, on, oneWord, time, whole, yesOrNo } from '../notations.js';
import { flag as line, setting as lines, secondsText, secondsUnless, word } from '../print-words.js';
import type { Report } from '../report.js';
import {
  type Inheriting,
  inherited,
  own,
  printRows,
  readRows,
  shapesOf,
  type Table,
  unwritten,
  writtenAs,
} from '../row.js';
import { argumentsOf, blockOf, each, flag, items, keyword, keywords, one, splitBlock } from '../shapes.js';
import type { Statement } from '../tree.js';
import {
  address,
  anyWord,
  deviceName,
  integer,
  macAddress,
  multicastGroup,
  oneOf,
  orElse,
  timer,
} from '../values.js';
import { announceRows } from './announce.js';

type Above = Inheriting<VirtualRouter>;

/** What an instance is read with. */
export type RouterReading = Above & {
  readonly statement: Statement;
  readonly name: string;
  readonly device: string;
  readonly addresses: RouterAddresses;
  readonly delivery: DeliveryDefaults;
  readonly known: Trackables;
  readonly report: Report;
};

const usual = virtualRouterDefaults;
const second = 1_000_000;
const always = { isPrinted: () => true };
const asSeconds = (value: number) => value / second;
const enabled = (isOn: boolean) => (isOn ? 'enabled' : 'disabled');
const bit = (isOn: boolean) => (isOn ? 1 : 0);
const hop = integer(0, 255);

const versionNumber: Notation<VrrpVersion> = {
  shape: one(integer(2, 3)),
  read: ({ arguments: [word] }) => (Number(word?.text) === 3 ? 3 : 2),
  write: String,
};
const version = writtenAs('version', first(versionNumber));

export const routerRows: Table<VirtualRouter, Above, RouterReading> = {
  name: unwritten((_, { name }) => name),
  startState: own(
    'state',
    first(
      oneWord(
        orElse(oneOf(['MASTER', 'BACKUP']), () => true, 'BACKUP'),
        { MASTER: 'master', BACKUP: 'backup' },
      ),
    ),
    () => usual.startState,
    always,
  ),
  // Known before all others, which may be about it.
  device: {
    shapes: { interface: one(deviceName) },
    read: (_, { device }) => device,
    print: (value) => [`interface ${word(value)}`],
    dump: { json: ['ifp_ifname', String] },
  },
  family: unwritten((_, { addresses }) => addresses.family),
  // Without one there is no virtual router.
  virtualRouterId: own('virtual_router_id', whole(integer(1, 255)), () => 0, {
    ...always,
    dump: { data: ['Virtual Router ID', Number], json: ['vrid', Number] },
  }),
  version: {
    shapes: version.shapes,
    global: writtenAs('vrrp_version', versionNumber),
    read: (block, { inherited: above, report }, { family }) =>
      readVersion(block, family === 6, version.written(block) ?? above.version ?? usual.version, report),
    print: (value) => [`version ${value}`],
    dump: { data: ['VRRP Version', Number], json: ['version', Number] },
  },
  advertInterval: {
    shapes: { advert_int: one(timer(10_000, 255 * second)) },
    read: (block, { report }, router) => readInterval(block, router.version, report),
    print: (value) => [`advert_int ${secondsText(value)}`],
    dump: {
      data: [
        'Advert interval',
        (value, router) => (router.version === 2 ? `${value / second} sec` : `${value / 1_000} milli-sec`),
      ],
      json: ['adver_int', asSeconds],
    },
  },
  priority: {
    shapes: { priority: one(integer(1, 255)) },
    read: (block, { statement, report }, { startState }) =>
      readPriority(block, statement.keyword, startState, report),
    print: (value) => [`priority ${value}`],
    dump: { data: ['Priority', Number], json: ['base_priority', Number] },
  },
  downTimerAdverts: inherited(
    'downTimerAdverts',
    'down_timer_adverts',
    whole(integer(1, 100)),
    () => usual.downTimerAdverts,
    {
      global: ['vrrp_down_timer_adverts', whole(integer(1, 100))],
      dump: { data: ['Down timer adverts', Number] },
    },
  ),
  // The devices get their names when all are known.
  virtualMacDevice: {
    shapes: { use_vmac: keyword(argumentsOf({ optional: [deviceName, macAddress] }), { firstCounts: true }) },
    read: () => undefined,
    print: (_, router) => macLine(router),
    dump: { json: ['vmac_ifname', (name) => name ?? ''] },
  },
  virtualMac: { shapes: {}, read: () => undefined, print: () => [] },
  preempt: {
    shapes: each(flag, 'preempt nopreempt'),
    read: (block, { report }, router) => readPreempt(block, router, report),
    print: (value) => line('nopreempt', !value),
    dump: { data: ['Preempt', enabled], json: ['nopreempt', (value) => !value] },
  },
  preemptDelay: {
    shapes: { preempt_delay: one(timer(0, 1_000 * second)) },
    read: (block, { report }, router) => readPreemptDelay(block, router, report),
    print: (value) => lines('preempt_delay', secondsUnless(value, 0)),
    dump: {
      data: ['Preempt delay', (value) => (value > 0 ? `${asSeconds(value)} secs` : undefined)],
      json: ['preempt_delay', asSeconds],
    },
  },
  startupDelay: unwritten((_, { inherited: above }) => above.startupDelay ?? usual.startupDelay, {
    global: writtenAs('vrrp_startup_delay', time()),
  }),
  // strict_mode decides it, but for an owner; in version 3 it may be asked for.
  acceptsTraffic: {
    shapes: each(flag, 'accept no_accept'),
    read: (block) => choiceOf(block, 'accept', 'no_accept') ?? usual.acceptsTraffic,
    print: (value, { isStrict, priority }) => [
      ...line('no_accept', !value && !isStrict),
      ...line('accept', value && isStrict && priority !== 255),
    ],
    dump: { data: ['Accept', enabled], json: ['accept', bit] },
  },
  isStrict: inherited('isStrict', 'strict_mode', yesOrNo, () => usual.isStrict, {
    global: ['vrrp_strict', on],
    dump: { json: ['strict_mode', bit] },
  }),
  answersLowerPriority: inherited(
    'answersLowerPriority',
    'lower_prio_no_advert',
    not(yesOrNo),
    () => usual.answersLowerPriority,
    {
      // It follows from strict_mode.
      isPrinted: ({ answersLowerPriority, isStrict }) => !answersLowerPriority && !isStrict,
      global: ['vrrp_lower_prio_no_advert', not(yesOrNo)],
      dump: {
        data: ['Send advert after receive lower priority advert', String],
        json: ['lower_prio_no_advert', (value) => bit(!value)],
      },
    },
  ),
  answersHigherPriority: inherited(
    'answersHigherPriority',
    'higher_prio_send_advert',
    yesOrNo,
    () => usual.answersHigherPriority,
    {
      // keepalived's default is another.
      ...always,
      global: ['vrrp_higher_prio_send_advert', yesOrNo],
      dump: {
        data: ['Send advert after receive higher priority advert', String],
        json: ['higher_prio_send_advert', bit],
      },
    },
  ),
  ownerIgnoresAdverts: inherited(
    'ownerIgnoresAdverts',
    'owner_ignore_adverts',
    yesOrNo,
    () => usual.ownerIgnoresAdverts,
    { global: ['vrrp_owner_ignore_adverts', on] },
  ),
  skipsKnownAddressCheck: inherited(
    'skipsKnownAddressCheck',
    'skip_check_adv_addr',
    yesOrNo,
    () => usual.skipsKnownAddressCheck,
    { global: ['vrrp_skip_check_adv_addr', on], dump: { json: ['skip_check_adv_addr', bit] } },
  ),
  authentication: {
    shapes: {
      authentication: blockOf(
        keywords({ now: { auth_type: one(oneOf(['PASS', 'AH'])), auth_pass: one(anyWord) } }),
      ),
    },
    read: (block, { report }, router) => readAuthentication(block, router.version, report),
    print: (_, router) => authenticationLines(router),
  },
  checksum: inherited(
    'checksum',
    'v3_checksum_as_v2',
    either(on, 'message', 'pseudo-header'),
    () => usual.checksum,
    { global: ['v3_checksum_as_v2', either(on, 'message', 'pseudo-header')] },
  ),
  delivery: {
    shapes: {
      mcast_dst_ip: one(multicastGroup()),
      unicast_peer: splitBlock(
        items(argumentsOf({ required: [address], options: { min_ttl: [hop], max_ttl: [hop] } })),
      ),
      unicast_fault_no_peer: flag,
      unicast_ttl: one(hop),
      check_unicast_src: flag,
    },
    read: (block, { delivery, report }, { family }) => readDelivery(block, family, delivery, report),
    print: (_, router) => deliveryLines(router),
  },
  // Printed with the delivery, on which its keyword depends.
  source: {
    shapes: each(one(address), 'mcast_src_ip unicast_src_ip'),
    read: (block, { report }, { family }) => readSource(block, family, report),
    print: () => [],
  },
  announce: {
    shapes: shapesOf(announceRows),
    read: (block, { inherited: above }) => readRows(announceRows, block, { inherited: above.announce ?? {} }),
    print: (policy) => printRows(announceRows, policy, { inherited: {} }),
  },
  addresses: {
    shapes: {
      virtual_ipaddress: splitBlock(virtualAddresses),
      native_ipv6: flag,
      no_virtual_ipaddress: flag,
    },
    read: (_, { addresses }) => addresses.addresses,
    print: (value, router) => [
      ...line('native_ipv6', router.family === 6 && value.length === 0),
      ...addressBlock('virtual_ipaddress', value, router),
    ],
  },
  excludedAddresses: {
    shapes: { virtual_ipaddress_excluded: splitBlock(virtualAddresses) },
    read: (_, { addresses }) => addresses.excludedAddresses,
    print: (value, router) => addressBlock('virtual_ipaddress_excluded', value, router),
  },
  routes: {
    shapes: { virtual_routes: splitBlock(routesOrRules) },
    read: (_, { addresses, device }) =>
      addresses.routes.map((route) =>
        route.kind === 'unicast' && route.gateway === undefined && route.device === undefined
          ? { ...route, device }
          : route,
      ),
    print: (_, router) => routeBlock(router),
  },
  tracks: {
    shapes: {
      dont_track_primary: flag,
      ...trackShapes,
    },
    read: (_, { statement, device, addresses, known, report }) =>
      readRouterTracks(statement, device, addresses, known, report),
    print: (_, router) => routerTrackLines(router),
  },
  advertLease: unwritten((_block, _above, { advertInterval }) => defaultAdvertLease(advertInterval)),
  releaseBudget: unwritten((_block, _above, { advertInterval }) => defaultReleaseBudget(advertInterval)),
};
