// The settings of virtual_server that are about the service itself, one row a field. What cannot do what it seems to say
// is said in words and read as keepalived reads it.

import { addressBits, type Family } from '../../model/address.js';
import type { RealServer, SorryServer, VirtualServer } from '../../model/director-config.js';
import {
  type ForwardingMethod,
  granularityText,
  maxPersistence_s,
  type Persistence,
  type Scheduler,
  type SchedulerFlag,
  schedulerFlags,
  schedulerFlagWords,
  schedulers,
} from '../../model/forwarding-table.js';
import type { Protocol } from '../../model/service-id.js';
import { flagOf, integerOf } from '../blocks/settings.js';
import { methodShape } from '../grammar/method.js';
import type { Word } from '../lexer.js';
import { flag as line, setting as lines, unless } from '../print-words.js';
import type { Report } from '../report.js';
import { type Table, unwritten } from '../row.js';
import { argumentsOf, type CheckArguments, each, flag, keyword, one } from '../shapes.js';
import { type Block, settingOf } from '../tree.js';
import { address, integer, mask, oneOf, orElse, portOrNone, readInteger, readMask } from '../values.js';

type Settings = Pick<
  VirtualServer,
  'scheduler' | 'flags' | 'onePacket' | 'persistence' | 'alpha' | 'quorum' | 'hysteresis' | 'sorryServer'
>;

/** What a service is printed against: the method of its servers, the family of its address. */
type Above = { readonly method: ForwardingMethod; readonly family: Family };

/** What decides whether a service is served at all is known before. */
type ServiceReading = Above & {
  readonly keyword: Word;
  readonly protocol: Protocol;
  readonly isEveryPort: boolean;
  readonly scheduler: Scheduler;
  readonly alpha: boolean;
  readonly sorryServer: SorryServer | undefined;
  readonly realServers: readonly RealServer[];
  readonly report: Report;
};

const count = (least: number) => integer(least, 4_294_967_295);

/** The seconds may be left out. 0 is none; keepalived itself refuses it, the files that say it mean that. */
const persistenceTimeout: CheckArguments = argumentsOf({ optional: [integer(0, maxPersistence_s)] });

/** keepalived's, where a timeout without a value, a granularity alone or port 0 asks for persistence. */
const usualPersistence_s = 360;

export const serviceRows: Table<Settings, Above, ServiceReading> = {
  scheduler: {
    shapes: { lvs_sched: one(oneOf(schedulers)) },
    read: (_, { scheduler }) => scheduler,
    print: (value) => [`lvs_sched ${value}`],
  },
  flags: {
    shapes: each(flag, schedulerFlagWords.map(({ name }) => name).join(' ')),
    read: (block, { report }, { scheduler }) => readFlags(block, scheduler, report),
    print: (value) => value,
  },
  onePacket: {
    shapes: { ops: flag },
    read: (block, { protocol, report }) => readOnePacket(block, protocol, report),
    print: (value) => line('ops', value),
  },
  persistence: {
    shapes: {
      persistence_timeout: keyword(persistenceTimeout),
      persistence_granularity: one(mask),
    },
    read: readPersistence,
    print: (value, _item, { family }) => (value === undefined ? [] : persistenceLines(value, family)),
  },
  // Its form stands with that of the checkers, which inherit it.
  alpha: { ...unwritten((_, { alpha }) => alpha), print: (value) => line('alpha', value) },
  quorum: {
    shapes: { quorum: one(orElse(count(1), (text) => text === '0', '1')) },
    read: readQuorum,
    print: (value) => lines('quorum', unless(value, 1)),
  },
  hysteresis: {
    shapes: { hysteresis: one(count(0)) },
    read: (block, { keyword: place, report }, { quorum }) => readHysteresis(block, quorum, place, report),
    print: (value) => lines('hysteresis', unless(value, 0)),
  },
  sorryServer: {
    shapes: {
      sorry_server: keyword(argumentsOf({ required: [address], optional: [portOrNone] })),
      sorry_server_lvs_method: methodShape,
    },
    read: (_, { sorryServer }) => sorryServer,
    print: (value, _item, { method }) =>
      value === undefined
        ? []
        : [
            `sorry_server ${value.address} ${value.port}`,
            ...(value.method === method ? [] : [`sorry_server_lvs_method ${value.method.toUpperCase()}`]),
          ],
  },
};

function readFlags(block: Block, scheduler: Scheduler, report: Report): SchedulerFlag[] {
  const written = schedulerFlagWords.filter(
    ({ name }) => settingOf(block, name) !== undefined && flagOf(block, name) !== false,
  );
  const flags = schedulerFlags.filter((flag) => flag.scheduler === scheduler);
  const isMeant = (flag: (typeof schedulerFlags)[number], keyword: (typeof schedulerFlagWords)[number]) =>
    flag.bit === keyword.bit && (keyword.scheduler ?? scheduler) === scheduler;
  for (const keyword of written) {
    const place = settingOf(block, keyword.name)?.keyword;
    if (place === undefined || flags.some((flag) => isMeant(flag, keyword))) continue;
    report.add('no-effect', place, `${keyword.name} does nothing with the scheduler ${scheduler}`);
  }
  return flags.filter((flag) => written.some((keyword) => isMeant(flag, keyword))).map(({ name }) => name);
}

function readOnePacket(block: Block, protocol: Protocol, report: Report): boolean {
  const statement = settingOf(block, 'ops');
  if (statement === undefined || flagOf(block, 'ops') === false) return false;
  if (protocol === 'udp') return true;
  report.add('no-effect', statement.keyword, 'ops does nothing: only UDP can be scheduled packet by packet');
  return false;
}

function readPersistence(block: Block, reading: ServiceReading): Persistence | undefined {
  const { keyword: place, isEveryPort, report } = reading;
  const isAsked = ['persistence_timeout', 'persistence_granularity'].some(
    (name) => settingOf(block, name) !== undefined,
  );
  const asked = isAsked ? (integerOf(block, 'persistence_timeout') ?? usualPersistence_s) : 0;
  const prefixLength = readGranularity(block, reading);
  if (asked === 0 && isEveryPort) {
    const message = `a service of every port (port 0) is persistent: ${usualPersistence_s} s are taken`;
    report.add('as-keepalived', place, message, `write persistence_timeout ${usualPersistence_s}`);
    return { timeout_s: usualPersistence_s, prefixLength };
  }
  return asked === 0 ? undefined : { timeout_s: asked, prefixLength };
}

/** A mask for IPv4, the length of a prefix for IPv6. */
function readGranularity(block: Block, { family, report }: ServiceReading): number {
  const given = settingOf(block, 'persistence_granularity')?.arguments[0];
  const whole = addressBits(family);
  if (given === undefined) return whole;
  const [asMask, asLength] = [readMask(given.text), readInteger(given.text)];
  const length = family === 4 ? asMask : asLength;
  if (length !== undefined) return length;
  // What is neither is an error already.
  if (asMask === undefined && asLength === undefined) return whole;
  const [what, example] = family === 4 ? ['a mask', '255.255.255.0'] : ['the length of a prefix', '64'];
  const message = `${given.text} cannot be the granularity of an IPv${family} service: it takes ${what}`;
  report.add('invalid-mask', given, message, `write persistence_granularity ${example}`);
  return whole;
}

function persistenceLines(persistence: Persistence, family: Family): string[] {
  return [
    `persistence_timeout ${persistence.timeout_s}`,
    ...lines('persistence_granularity', granularityText(persistence, family)),
  ];
}

/** As keepalived: a quorum beyond all servers' weight is lowered to it. */
function readQuorum(block: Block, { keyword: place, realServers, report }: ServiceReading): number {
  const written = integerOf(block, 'quorum') ?? 1;
  const hysteresis = integerOf(block, 'hysteresis') ?? 0;
  const total = realServers.reduce((sum, server) => sum + server.weight, 0);
  const at = settingOf(block, 'quorum')?.keyword ?? place;
  const quorum = Math.max(1, Math.min(written, total));
  if (total === 0) {
    report.add('quorum-unreachable', at, 'every server has weight 0: the service never comes up');
  } else if (written > total) {
    const message = `the weights of all servers sum up to ${total}, so a quorum of ${written} is taken as ${total}`;
    report.add('quorum-unreachable', at, message, 'lower the quorum or raise the weights');
  } else if (hysteresis < quorum && quorum + hysteresis > total) {
    const message = `once lost, the quorum comes back at ${quorum + hysteresis}, and all weights sum up to ${total}`;
    report.add('quorum-unreachable', at, message, 'lower the quorum or the hysteresis');
  }
  return quorum;
}

/** As keepalived: it stays below the quorum. */
function readHysteresis(block: Block, quorum: number, place: Word, report: Report): number {
  const written = integerOf(block, 'hysteresis') ?? 0;
  if (written < quorum) return written;
  const message = `the hysteresis ${written} is not below the quorum ${quorum}: ${quorum - 1} is taken`;
  report.add('hysteresis-too-large', settingOf(block, 'hysteresis')?.keyword ?? place, message);
  return quorum - 1;
}
