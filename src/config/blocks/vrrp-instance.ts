// vrrp_instance { }: one virtual router, complete. What contradicts itself is said in words and read as keepalived reads
// it; what would end in two masters or none is an error.

import type { RouterConfig } from '../../model/failover-config.js';
import { type Micros, micros, seconds } from '../../model/units.js';
import {
  type AnnouncePolicy,
  asStrict,
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
import { readNotify } from './notify.js';
import { type RouterAddresses, readRouterAddresses } from './router-addresses.js';
import { readAuthentication, readDelivery, readSource } from './router-delivery.js';
import { flagOf, integerOf, originOf, textOf, timerOf } from './settings.js';
import { readTracks, type Trackables } from './tracks.js';
import type { VrrpDefaults } from './vrrp-defaults.js';

const usual = virtualRouterDefaults;

/** undefined when its VRID is missing, which is reported. Yields between some dozens of its addresses. */
export function* readVrrpInstance(
  statement: Statement,
  defaults: VrrpDefaults,
  known: Trackables,
  report: Report,
): Generator<void, RouterConfig | undefined> {
  const { block, keyword } = statement;
  const name = statement.arguments[0]?.text;
  if (block === undefined || name === undefined) return undefined;
  const virtualRouterId = integerOf(block, 'virtual_router_id');
  const device = textOf(block, 'interface') ?? defaults.device;
  const around = yield* readRouterAddresses(block, report);
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
  const written: VirtualRouter = {
    ...usual,
    name,
    device,
    family,
    version,
    virtualRouterId,
    startState,
    priority,
    advertInterval,
    downTimerAdverts: integerOf(block, 'down_timer_adverts') ?? defaults.downTimerAdverts,
    ...readPreemption(block, startState, priority, report),
    startupDelay: defaults.startupDelay,
    acceptsTraffic: choiceOf(block, 'accept', 'no_accept') ?? usual.acceptsTraffic,
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
      route.gateway === undefined && route.device === undefined ? { ...route, device } : route,
    ),
    announce: readAnnounce(block, family === 4 ? defaults.interval4 : defaults.interval6, defaults),
    tracks: readRouterTracks(block, device, around, known, report),
    advertLease: defaultAdvertLease(advertInterval),
    releaseBudget: defaultReleaseBudget(advertInterval),
  };
  return {
    router: asStrict(written),
    notify: readNotify(block, defaults.tellsPriority),
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
  if (priority === 255) {
    if (!preempt && nopreempt !== undefined) {
      const message = 'an owner (priority 255) always takes over: nopreempt is not taken';
      report.add('no-effect', nopreempt, message, 'remove it, or write a priority below 255');
    }
    return { preempt: true, preemptDelay: micros(0) };
  }
  if (startState === 'master' && !preempt && nopreempt !== undefined) {
    const message =
      'nopreempt works only from state BACKUP: with state MASTER this router takes over when it starts';
    report.add('nopreempt-master', nopreempt, message, 'write state BACKUP');
  }
  if (startState === 'master' && delay !== undefined) {
    report.add('no-effect', delay, 'preempt_delay works only from state BACKUP', 'write state BACKUP');
  } else if (!preempt && delay !== undefined) {
    report.add('no-effect', delay, 'preempt_delay does nothing beside nopreempt', 'remove one of them');
  }
  return { preempt, preemptDelay: preempt ? preemptDelay : micros(0) };
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

function readAnnounce(block: Block, interval: Micros, { announce }: VrrpDefaults): AnnouncePolicy {
  return {
    repeat: integerOf(block, 'garp_master_repeat') ?? announce.repeat,
    delay: timerOf(block, 'garp_master_delay') ?? announce.delay,
    refresh: timerOf(block, 'garp_master_refresh') ?? announce.refresh,
    refreshRepeat: integerOf(block, 'garp_master_refresh_repeat') ?? announce.refreshRepeat,
    lowerPriorityRepeat: integerOf(block, 'garp_lower_prio_repeat') ?? announce.lowerPriorityRepeat,
    lowerPriorityDelay: timerOf(block, 'garp_lower_prio_delay') ?? announce.lowerPriorityDelay,
    interval,
  };
}

/** The own device and those of addresses first, unless the file says otherwise; then what it names. */
function readRouterTracks(
  block: Block,
  device: string,
  { trackedDevices }: RouterAddresses,
  known: Trackables,
  report: Report,
): Track[] {
  const isOwnTracked = !(flagOf(block, 'dont_track_primary') ?? false);
  const written = readTracks(block, known, report).filter(({ place, track }) => {
    const isOwn = isOwnTracked && track.kind === 'interface' && track.name === device;
    if (isOwn) {
      const message = `${device} is the instance's own interface, whose failure is a fault anyway`;
      report.add('no-effect', place, message, 'remove it, or write dont_track_primary');
    }
    return !isOwn;
  });
  const named = new Set(written.flatMap(({ track }) => (track.kind === 'interface' ? [track.name] : [])));
  const devices = [...(isOwnTracked ? [device] : []), ...trackedDevices.filter((name) => name !== device)];
  const implied = devices.filter((name) => !named.has(name));
  return [
    ...implied.map((name): Track => ({ kind: 'interface', name, weight: 0, isReversed: false })),
    ...written.map(({ track }) => track),
  ];
}
