// vrrp_instance { }: one virtual router, complete. What contradicts itself is said in words and read as keepalived reads
// it; what would end in two masters or none is an error.

import type { RouterConfig } from '../../model/failover-config.js';
import { type Micros, micros, seconds } from '../../model/units.js';
import {
  type AnnouncePolicy,
  defaultAdvertLease,
  defaultReleaseBudget,
  type Track,
  type VirtualRouter,
  type VrrpVersion,
  virtualRouterDefaults,
} from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { type Block, type Statement, settingOf } from '../tree.js';
import { readExtraAnnouncements } from './announce-pacing.js';
import { readNotify } from './notify.js';
import { type RouterAddresses, readRouterAddresses } from './router-addresses.js';
import { readAuthentication, readDelivery, readSource } from './router-delivery.js';
import { flagOf, integerOf, originOf, textOf, timerOf } from './settings.js';
import { readStrictly } from './strict-mode.js';
import { readTracks, type Trackables } from './tracks.js';
import type { VrrpDefaults } from './vrrp-defaults.js';

const usual = virtualRouterDefaults;

/** undefined when its VRID is missing, which is reported. Yields between some dozens of its addresses. */
export function readVrrpInstance(
  statement: Statement,
  defaults: VrrpDefaults,
  known: Trackables,
  report: Report,
): RouterConfig | undefined {
  const { block, keyword } = statement;
  const name = statement.arguments[0]?.text;
  if (block === undefined || name === undefined) return undefined;
  const virtualRouterId = integerOf(block, 'virtual_router_id');
  const device = textOf(block, 'interface') ?? defaults.device;
  const around = readRouterAddresses(block, device, report);
  if (virtualRouterId === undefined) {
    // With errors in the text it is there most likely, misspelt.
    if (!report.hasErrors()) {
      report.add(
        'missing-setting',
        keyword,
        `${name} has no virtual_router_id`,
        'write virtual_router_id 1 to 255',
      );
    }
    return undefined;
  }
  const { family, addresses, excludedAddresses, routes } = around;
  const version = readVersion(block, family === 6, defaults, report);
  const advertInterval = readInterval(block, version, report);
  const startState = textOf(block, 'state') === 'MASTER' ? 'master' : 'backup';
  const priority = readPriority(block, keyword, startState, report);
  const accepts = choiceOf(block, 'accept', 'no_accept');
  const { preempt, preemptDelay } = readPreemption(block, startState, priority, report);
  // Every field by name: an object of this size that is spread costs ten times as much.
  const written: VirtualRouter = {
    name,
    device,
    family,
    version,
    virtualRouterId,
    startState,
    priority,
    advertInterval,
    downTimerAdverts: integerOf(block, 'down_timer_adverts') ?? defaults.downTimerAdverts,
    preempt,
    preemptDelay,
    startupDelay: defaults.startupDelay,
    acceptsTraffic: accepts ?? usual.acceptsTraffic,
    isStrict: flagOf(block, 'strict_mode') ?? defaults.isStrict,
    answersLowerPriority: notFlag(block, 'lower_prio_no_advert') ?? defaults.answersLowerPriority,
    answersHigherPriority: flagOf(block, 'higher_prio_send_advert') ?? defaults.answersHigherPriority,
    ownerIgnoresAdverts: flagOf(block, 'owner_ignore_adverts') ?? defaults.ownerIgnoresAdverts,
    skipsKnownAddressCheck: flagOf(block, 'skip_check_adv_addr') ?? defaults.skipsKnownAddressCheck,
    authentication: readAuthentication(block, version, report),
    checksum: readChecksum(block, defaults),
    delivery: readDelivery(block, { keyword, family, defaults }, report),
    source: readSource(block, family, report),
    addresses,
    excludedAddresses,
    routes: routes.map((route) =>
      route.kind === 'unicast' && route.gateway === undefined && route.device === undefined
        ? { ...route, device }
        : route,
    ),
    announce: readAnnounce(block, defaults),
    virtualMacDevice: usual.virtualMacDevice,
    virtualMac: usual.virtualMac,
    tracks: readRouterTracks(statement, device, around, known, report),
    advertLease: defaultAdvertLease(advertInterval),
    releaseBudget: defaultReleaseBudget(advertInterval),
  };
  reportNoAddresses(block, keyword, written, report);
  const strictPlace = settingOf(block, 'strict_mode')?.keyword ?? keyword;
  return {
    router: readStrictly(written, accepts, strictPlace, report),
    notify: readNotify(block, defaults.notifiesPriority),
    origin: originOf(keyword),
  };
}

function readVersion(block: Block, isIpv6: boolean, defaults: VrrpDefaults, report: Report): VrrpVersion {
  const place = settingOf(block, 'version');
  const version = (integerOf(block, 'version') ?? defaults.version) === 3 ? 3 : 2;
  if (!isIpv6) return version;
  if (place !== undefined && version === 2) {
    report.add('no-effect', place.keyword, 'IPv6 has version 3 alone: version 3 is taken', 'write version 3');
  }
  return 3;
}

const hundredth = seconds(0.01);
const longestV3 = seconds(40.95);

/** Version 2 has a byte of whole seconds on the wire, version 3 twelve bits of hundredths. */
function readInterval(block: Block, version: VrrpVersion, report: Report): Micros {
  const place = settingOf(block, 'advert_int')?.arguments[0];
  const written = timerOf(block, 'advert_int') ?? usual.advertInterval;
  if (place === undefined) return written;
  if (version === 2) {
    if (written % seconds(1) === 0) return written;
    const message = `version 2 has whole seconds, not ${place.text}`;
    report.add(
      'invalid-interval',
      place,
      message,
      'write version 3 on all directors of this virtual router, or whole seconds',
    );
    return written;
  }
  if (written > longestV3) {
    const message = `version 3 has intervals up to 40.95 seconds, not ${place.text}`;
    report.add('invalid-interval', place, message, 'write a shorter interval, or version 2');
    return written;
  }
  const rounded = micros(Math.max(1, Math.round(written / hundredth)) * hundredth);
  if (rounded !== written) {
    const message = `version 3 has steps of 0.01 seconds: ${rounded / 1e6} is taken for ${place.text}`;
    report.add('interval-rounded', place, message, `write advert_int ${rounded / 1e6}`);
  }
  return rounded;
}

/** As in keepalived: without a priority, state MASTER makes an owner. */
function readPriority(block: Block, keyword: Word, startState: 'master' | 'backup', report: Report): number {
  const written = integerOf(block, 'priority');
  if (written !== undefined || settingOf(block, 'priority') !== undefined) return written ?? usual.priority;
  if (startState === 'backup') return usual.priority;
  if (!report.hasErrors()) {
    const message = 'no priority is given: with state MASTER that is 255, the owner of the addresses';
    report.add('default-taken', keyword, message, 'write priority 255, or another');
  }
  return 255;
}

/** As in keepalived: nopreempt is nothing to an owner, and both are nothing to state MASTER. */
function readPreemption(
  block: Block,
  startState: 'master' | 'backup',
  priority: number,
  report: Report,
): { preempt: boolean; preemptDelay: Micros } {
  const nopreempt = settingOf(block, 'nopreempt')?.keyword;
  const delay = settingOf(block, 'preempt_delay')?.keyword;
  const preempt = choiceOf(block, 'preempt', 'nopreempt') ?? usual.preempt;
  const preemptDelay = timerOf(block, 'preempt_delay') ?? usual.preemptDelay;
  const isOwner = priority === 255;
  if (!preempt && nopreempt !== undefined && isOwner) {
    const message = 'an owner (priority 255) always takes over: nopreempt is not taken';
    report.add('no-effect', nopreempt, message, 'remove it, or write a priority below 255');
  } else if (!preempt && nopreempt !== undefined && startState === 'master') {
    const message =
      'nopreempt works only from state BACKUP: with state MASTER this router takes over when it starts';
    report.add('nopreempt-master', nopreempt, message, 'write state BACKUP');
  }
  if (startState === 'master') {
    if (delay !== undefined) {
      report.add('no-effect', delay, 'preempt_delay works only from state BACKUP', 'write state BACKUP');
    }
    return { preempt: true, preemptDelay: micros(0) };
  }
  if (preempt || isOwner) return { preempt: true, preemptDelay };
  if (delay !== undefined) {
    report.add('no-effect', delay, 'preempt_delay does nothing beside nopreempt', 'remove one of them');
  }
  return { preempt: false, preemptDelay: micros(0) };
}

/** An election about nothing; `no_virtual_ipaddress` says that it is meant. */
function reportNoAddresses(block: Block, keyword: Word, router: VirtualRouter, report: Report): void {
  const hasSome = router.addresses.length > 0 || router.excludedAddresses.length > 0;
  if (hasSome || router.isStrict || flagOf(block, 'no_virtual_ipaddress') || report.hasErrors()) return;
  const message = `${router.name} has no virtual address: a master is elected, and nothing moves with it`;
  report.add('no-addresses', keyword, message, 'add virtual_ipaddress { }, or write no_virtual_ipaddress');
}

/** Of two keywords that say the opposite, the later one counts; `KEYWORD no` is the opposite of itself. */
function choiceOf(block: Block, yes: string, no: string): boolean | undefined {
  const names = block.settings.map(({ shape }) => shape.name);
  const isNoLater = names.lastIndexOf(no) > names.lastIndexOf(yes);
  return isNoLater ? notFlag(block, no) : flagOf(block, yes);
}

function notFlag(block: Block, keyword: string): boolean | undefined {
  const flag = flagOf(block, keyword);
  return flag === undefined ? undefined : !flag;
}

function readChecksum(block: Block, defaults: VrrpDefaults): VirtualRouter['checksum'] {
  const asV2 = flagOf(block, 'v3_checksum_as_v2');
  if (asV2 === undefined) return defaults.checksum;
  return asV2 ? 'message' : 'pseudo-header';
}

function readAnnounce(block: Block, { announce }: VrrpDefaults): AnnouncePolicy {
  const { extra, extraDevices } = readExtraAnnouncements(block, 'garp_extra_if') ?? announce;
  return {
    repeat: integerOf(block, 'garp_master_repeat') ?? announce.repeat,
    delay: timerOf(block, 'garp_master_delay') ?? announce.delay,
    refresh: timerOf(block, 'garp_master_refresh') ?? announce.refresh,
    isRefreshWritten: settingOf(block, 'garp_master_refresh') !== undefined || announce.isRefreshWritten,
    refreshRepeat: integerOf(block, 'garp_master_refresh_repeat') ?? announce.refreshRepeat,
    lowerPriorityRepeat: integerOf(block, 'garp_lower_prio_repeat') ?? announce.lowerPriorityRepeat,
    lowerPriorityDelay: timerOf(block, 'garp_lower_prio_delay') ?? announce.lowerPriorityDelay,
    extra,
    extraDevices,
  };
}

/**
 * The own device first, then those of addresses and routes, unless the file says otherwise; then what else it names. What
 * it names there without a weight is the same as not named.
 */
function readRouterTracks(
  statement: Statement,
  device: string,
  { devices }: RouterAddresses,
  known: Trackables,
  report: Report,
): Track[] {
  const isOwnTracked = statement.block === undefined || !flagOf(statement.block, 'dont_track_primary');
  const others = devices.filter(({ name }) => name !== device);
  const surroundings = [{ name: device, isTracked: isOwnTracked }, ...others];
  const written = readTracks(statement, known, report).filter(({ place, track }) => {
    const isOwn = isOwnTracked && track.kind === 'interface' && track.name === device;
    if (isOwn && !isPlain(track)) {
      const message = `${device} is the instance's own interface, whose failure is a fault anyway`;
      report.add('no-effect', place, message, 'remove it, or write dont_track_primary');
    }
    return !isOwn;
  });
  const named = new Map(
    written.flatMap(({ track }) => (track.kind === 'interface' ? [[track.name, track] as const] : [])),
  );
  const implied = surroundings.flatMap(({ name, isTracked }): Track[] => {
    const track = named.get(name);
    const isImplied = track === undefined ? isTracked : isPlain(track);
    return isImplied ? [{ kind: 'interface', name, weight: 0, isReversed: false }] : [];
  });
  const isElsewhere = ({ kind, name }: Track) =>
    kind !== 'interface' || !implied.some((track) => track.name === name);
  return [...implied, ...written.map(({ track }) => track).filter(isElsewhere)];
}

function isPlain({ weight, isReversed }: Track): boolean {
  return weight === 0 && !isReversed;
}
