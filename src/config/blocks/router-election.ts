// Settings of a vrrp_instance that decide who becomes master, where they depend on each other: what contradicts itself is
// said in words and read as keepalived reads it.

import { type Micros, micros, seconds } from '../../model/units.js';
import { type VirtualRouter, type VrrpVersion, virtualRouterDefaults } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { type Block, settingOf } from '../tree.js';
import { choiceOf, integerOf, timerOf } from './settings.js';

type StartState = VirtualRouter['startState'];
/** What is known by then. */
type Started = Pick<VirtualRouter, 'startState' | 'priority' | 'preempt'>;

const usual = virtualRouterDefaults;

/** `version` is what is written, here or above. */
export function readVersion(
  block: Block,
  isIpv6: boolean,
  version: VrrpVersion,
  report: Report,
): VrrpVersion {
  const place = settingOf(block, 'version');
  if (!isIpv6) return version;
  if (place !== undefined && version === 2) {
    report.add('no-effect', place.keyword, 'IPv6 has version 3 alone: version 3 is taken', 'write version 3');
  }
  return 3;
}

const hundredth = seconds(0.01);
const longestV3 = seconds(40.95);

/** Version 2 has a byte of whole seconds on the wire, version 3 twelve bits of hundredths. */
export function readInterval(block: Block, version: VrrpVersion, report: Report): Micros {
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
export function readPriority(block: Block, keyword: Word, startState: StartState, report: Report): number {
  const written = integerOf(block, 'priority');
  if (written !== undefined || settingOf(block, 'priority') !== undefined) return written ?? usual.priority;
  if (startState === 'backup') return usual.priority;
  if (!report.hasErrors()) {
    const message = 'no priority is given: with state MASTER that is 255, the owner of the addresses';
    report.add('default-taken', keyword, message, 'write priority 255, or another');
  }
  return 255;
}

/** As in keepalived: nopreempt is nothing to an owner, and to state MASTER. */
export function readPreempt(block: Block, { startState, priority }: Started, report: Report): boolean {
  const nopreempt = settingOf(block, 'nopreempt')?.keyword;
  const preempt = choiceOf(block, 'preempt', 'nopreempt') ?? usual.preempt;
  const isOwner = priority === 255;
  if (!preempt && nopreempt !== undefined && isOwner) {
    const message = 'an owner (priority 255) always takes over: nopreempt is not taken';
    report.add('no-effect', nopreempt, message, 'remove it, or write a priority below 255');
  } else if (!preempt && nopreempt !== undefined && startState === 'master') {
    const message =
      'nopreempt works only from state BACKUP: with state MASTER this router takes over when it starts';
    report.add('nopreempt-master', nopreempt, message, 'write state BACKUP');
  }
  return preempt || isOwner || startState === 'master';
}

/** As in keepalived: it is nothing to state MASTER, and nothing beside nopreempt. */
export function readPreemptDelay(block: Block, { startState, preempt }: Started, report: Report): Micros {
  const place = settingOf(block, 'preempt_delay')?.keyword;
  if (startState === 'backup' && preempt) return timerOf(block, 'preempt_delay') ?? usual.preemptDelay;
  if (place !== undefined && startState === 'master') {
    report.add('no-effect', place, 'preempt_delay works only from state BACKUP', 'write state BACKUP');
  } else if (place !== undefined) {
    report.add('no-effect', place, 'preempt_delay does nothing beside nopreempt', 'remove one of them');
  }
  return micros(0);
}
