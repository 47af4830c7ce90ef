// What every checker is made of: its keyword, what it asks (a table of its own settings), and the schedule by which it
// asks, which it inherits: virtual_server → real_server → checker. A checker is one file here and one line in registry.ts;
// its probe is one file in src/runtime/probes.

import type { IpAddress } from '../../model/address.js';
import type { CheckerPolicy, CheckSchedule } from '../../model/director-config.js';
import { seconds } from '../../model/units.js';
import { time, whole, yesOrNo } from '../notations.js';
import type { Lines } from '../print-words.js';
import type { Report } from '../report.js';
import {
  type Inheriting,
  inherited,
  printRows,
  readInherited,
  readRows,
  type Setting,
  shapesOf,
  type Table,
} from '../row.js';
import {
  argumentsOf,
  blocksOf,
  flag,
  type KeywordBlock,
  keyword,
  keywords,
  type NamelessShape,
  type Shapes,
} from '../shapes.js';
import type { Place } from '../source.js';
import { type Block, settingOf } from '../tree.js';
import { integer } from '../values.js';

/** What a checker finds around it. */
export type ServerAround = {
  readonly address: IpAddress;
  /** As written, before the port is set to the service's: this is where the server listens. */
  readonly port: number;
  readonly inherited: Inherited;
};

export type CheckedServer = ServerAround & {
  readonly serviceAddress: IpAddress;
  /** Of the real server's keyword. */
  readonly place: Place;
};

/** What a level says about the checkers below it. */
export type Inherited = Partial<CheckSchedule>;

const maxUnsigned = 4_294_967_295;

type ScheduleTable = {
  readonly [Field in keyof CheckSchedule]: Setting<
    CheckSchedule[Field],
    CheckSchedule,
    Inheriting<CheckSchedule>
  >;
};

/** The defaults in which checkers differ. */
type UsualSchedule = Pick<CheckSchedule, 'timeout' | 'retries' | 'delayBeforeRetry'>;

const usualSchedule: UsualSchedule = { timeout: seconds(5), retries: 1, delayBeforeRetry: seconds(1) };

export function scheduleOf(own: Partial<UsualSchedule> = {}): ScheduleTable {
  const usual = { ...usualSchedule, ...own };
  return {
    timeout: inherited('timeout', 'connect_timeout', time(1, maxUnsigned), () => usual.timeout),
    delayLoop: inherited('delayLoop', 'delay_loop', time(1), () => seconds(60)),
    retries: inherited('retries', 'retry', whole(integer(0, maxUnsigned)), () => usual.retries),
    delayBeforeRetry: inherited(
      'delayBeforeRetry',
      'delay_before_retry',
      time(),
      () => usual.delayBeforeRetry,
    ),
    warmup: inherited('warmup', 'warmup', time(), ({ delayLoop }) => delayLoop),
    alpha: inherited('alpha', 'alpha', yesOrNo, () => false),
    logAllFailures: inherited('logAllFailures', 'log_all_failures', yesOrNo, () => false, {
      global: ['checker_log_all_failures', yesOrNo],
    }),
  };
}

const common = scheduleOf();

/** For the grammar and the meaning of global_defs. */
export const scheduleRows: Table<CheckSchedule, Inheriting<CheckSchedule>> = common;
const { logAllFailures: _, ...inheritedRows } = common;

/** Settings that virtual_server and real_server hand down to the checkers; `alpha` of a service can't be off. */
export const inheritedShapes: Shapes = { ...shapesOf(inheritedRows), alpha: flag };

/** The settings of a block over those of the block around it. */
export function inheritFrom(block: Block, outer: Inherited): Inherited {
  return readInherited(inheritedRows, block, outer);
}

/** `Question` is what its probe needs to know. */
export type CheckerDefinition<Kind extends string = string, Question extends object = object> = {
  readonly kind: Kind;
  readonly keyword: string;
  readonly shape: NamelessShape;
  read(block: Block, server: CheckedServer, report: Report): CheckerPolicy<Kind, Question>;
  print(policy: CheckerPolicy<Kind, Question>, server: ServerAround): Lines;
};

type Parts<Kind extends string, Question extends object> = {
  /** In the API and the log. */
  readonly kind: Kind;
  /** In the file. */
  readonly keyword: string;
  readonly question: Table<Question, ServerAround>;
  readonly schedule?: ScheduleTable;
  /** Says what of the question can't be meant. */
  readonly examine?: (question: Question, block: Block, server: CheckedServer, report: Report) => void;
};

export function defineChecker<Kind extends string, Question extends object>({
  kind,
  keyword: name,
  question: table,
  schedule = common,
  examine = () => {},
}: Parts<Kind, Question>): CheckerDefinition<Kind, Question> {
  const scheduleTable: Table<CheckSchedule, Inheriting<CheckSchedule>> = schedule;
  return {
    kind,
    keyword: name,
    shape: checkerShape(
      keywords({ now: { ...shapesOf(table), ...shapesOf(scheduleTable) }, never: neverInCheckers }),
    ),
    read: (block, server, report) => {
      const question = readRows(table, block, server);
      const policy = { kind, ...readRows(scheduleTable, block, server), question };
      reportIdleRetry(block, policy, report);
      examine(question, block, server, report);
      return policy;
    },
    print: (policy, server) => [
      ...printRows(table, policy.question, server),
      ...printRows(scheduleTable, policy, server),
    ],
  };
}

function reportIdleRetry(block: Block, { retries }: CheckSchedule, report: Report): void {
  const place = settingOf(block, 'delay_before_retry')?.keyword;
  if (place === undefined || retries > 0) return;
  const message = 'delay_before_retry does nothing while retry is 0';
  report.add('no-effect', place, message, 'remove one of them');
}

/** Outside HTTP_GET and SSL_GET no keepalived has ever known it. */
export const neverInCheckers: Shapes = {
  nb_get_retry: keyword(argumentsOf({ required: [integer(0, maxUnsigned)] }), {
    remark: 'keepalived does not know it here, and retries once',
    remedy: 'write retry NUMBER for more',
  }),
};

export function checkerShape(block: KeywordBlock): NamelessShape {
  const remark = 'a server with no other check counts as always up';
  return blocksOf(argumentsOf({}), block, { remark, movesTraffic: true });
}
