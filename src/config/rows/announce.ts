// garp_* of a vrrp_instance, and vrrp_garp_* of global_defs: when gratuitous ARP and unsolicited NA go out.

import { type Micros, micros, seconds } from '../../model/units.js';
import { type AnnouncePolicy, defaultAnnouncePolicy } from '../../model/virtual-router.js';
import { extraAnnouncements } from '../grammar/addresses.js';
import { type Notation, positive, time, upTo, yesOrNo } from '../notations.js';
import { secondsText } from '../print-words.js';
import {
  globalShapesOf,
  type Inheriting,
  inherited,
  lineOf,
  readGlobals,
  type Setting,
  type Table,
  unwritten,
  writtenAs,
} from '../row.js';
import type { Shapes } from '../shapes.js';
import type { Block } from '../tree.js';
import { readInteger } from '../values.js';

const usual = defaultAnnouncePolicy;
const inSeconds = (value: Micros) => value / 1_000_000;

type Above = Inheriting<AnnouncePolicy>;
type Row<Field extends keyof AnnouncePolicy> = Setting<AnnouncePolicy[Field], AnnouncePolicy, Above>;
const always = () => true;

/** A number of messages: keyword, title and key of keepalived's dumps. Printed always: keepalived's defaults are others. */
function messages<Field extends 'repeat' | 'refreshRepeat' | 'lowerPriorityRepeat'>(
  field: Field,
  keyword: string,
  title: string,
  key: string,
  numbers: (max: number) => Notation<number> = positive,
): Row<Field> {
  return inherited(field, keyword, numbers(2_147_483_647), () => usual[field], {
    isPrinted: always,
    global: [`vrrp_${keyword}`, numbers(4_294_967_295)],
    dump: { data: [title, Number], json: [key, Number] },
  });
}

/** A time in seconds. */
function pause<Field extends 'delay' | 'refresh' | 'lowerPriorityDelay'>(
  field: Field,
  keyword: string,
  title: string,
  key: string,
  isPrinted: (policy: AnnouncePolicy) => boolean = always,
): Row<Field> {
  return inherited(field, keyword, time(), () => usual[field], {
    isPrinted,
    global: [`vrrp_${keyword}`, time()],
    dump: { data: [title, inSeconds], json: [key, inSeconds] },
  });
}

type Extra = Pick<AnnouncePolicy, 'extra' | 'extraDevices'>;

/** `[all] SECONDS`; 0 says that it is off. */
const extraNotation: Notation<Extra> = {
  shape: extraAnnouncements,
  read: ({ arguments: words }) => {
    const isAll = words[0]?.text === 'all';
    const every_s = readInteger(words[isAll ? 1 : 0]?.text ?? '') ?? 0;
    return { extra: seconds(every_s), extraDevices: isAll && every_s > 0 ? 'all' : usual.extraDevices };
  },
  write: ({ extra, extraDevices }) =>
    extraDevices === 'all' ? `all ${secondsText(extra)}` : secondsText(extra),
};
const extraHere = writtenAs('garp_extra_if', extraNotation);
const extraEverywhere = writtenAs('vrrp_garp_extra_if', extraNotation);

const refreshHere = writtenAs('garp_master_refresh', time());
const refreshEverywhere = writtenAs('vrrp_garp_master_refresh', time());

export const announceRows: Table<AnnouncePolicy, Above> = {
  delay: pause('delay', 'garp_master_delay', 'Gratuitous ARP delay', 'garp_delay'),
  repeat: messages('repeat', 'garp_master_repeat', 'Gratuitous ARP repeat', 'garp_rep'),
  refresh: pause(
    'refresh',
    'garp_master_refresh',
    'Gratuitous ARP refresh',
    'garp_refresh',
    ({ isRefreshWritten }) => isRefreshWritten,
  ),
  isRefreshWritten: unwritten(
    (block, above) =>
      refreshHere.written(block) !== undefined ||
      (above.inherited.isRefreshWritten ?? usual.isRefreshWritten),
    {
      global: {
        shapes: {},
        written: (block) => (refreshEverywhere.written(block) === undefined ? undefined : true),
      },
    },
  ),
  refreshRepeat: messages(
    'refreshRepeat',
    'garp_master_refresh_repeat',
    'Gratuitous ARP refresh repeat',
    'garp_refresh_rep',
  ),
  lowerPriorityDelay: pause(
    'lowerPriorityDelay',
    'garp_lower_prio_delay',
    'Gratuitous ARP lower priority delay',
    'garp_lower_prio_delay',
  ),
  lowerPriorityRepeat: messages(
    'lowerPriorityRepeat',
    'garp_lower_prio_repeat',
    'Gratuitous ARP lower priority repeat',
    'garp_lower_prio_rep',
    upTo,
  ),
  extra: {
    shapes: extraHere.shapes,
    read: (block, above) => extraHere.written(block)?.extra ?? above.inherited.extra ?? usual.extra,
    print: (extra, policy) => (extra === 0 ? [] : lineOf('garp_extra_if', extraNotation, policy)),
    global: { shapes: extraEverywhere.shapes, written: (block) => extraEverywhere.written(block)?.extra },
    dump: {
      data: ['Gratuitous ARP for each secondary i/f', (value) => (value > 0 ? inSeconds(value) : undefined)],
    },
  },
  extraDevices: unwritten(
    (block, above) =>
      extraHere.written(block)?.extraDevices ?? above.inherited.extraDevices ?? usual.extraDevices,
    { global: { shapes: {}, written: (block) => extraEverywhere.written(block)?.extraDevices } },
  ),
};

const leastKeyword = writtenAs('vrrp_min_garp', yesOrNo);

/** In global_defs. */
export const globalAnnounceShapes: Shapes = { ...globalShapesOf(announceRows), ...leastKeyword.shapes };

/** `vrrp_min_garp`: one message, no second round, no refresh. */
const leastAnnounce: Partial<AnnouncePolicy> = {
  repeat: 1,
  delay: micros(0),
  refresh: micros(0),
  isRefreshWritten: true,
  refreshRepeat: 1,
};

/** What is said to losing masters is what is said to everybody, unless that is written. */
export function readGlobalAnnounce(block: Block): AnnouncePolicy {
  const written = readGlobals(announceRows, block);
  const policy = { ...usual, ...(leastKeyword.written(block) ? leastAnnounce : {}), ...written };
  const { lowerPriorityRepeat = policy.repeat, lowerPriorityDelay = policy.delay } = written;
  return { ...policy, lowerPriorityRepeat, lowerPriorityDelay };
}
