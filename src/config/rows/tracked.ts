// Every setting of vrrp_script and track_file, one row a field. What they say about those who track them is a table of its
// own: a script has it for others alone, a file for itself as well.

import type { TrackFile } from '../../model/failover-config.js';
import { type Micros, seconds } from '../../model/units.js';
import type { TrackScript } from '../../model/virtual-router.js';
import type { Trackable } from '../blocks/tracks.js';
import { commandText, splitCommand } from '../command-line.js';
import { weight } from '../grammar/addresses.js';
import type { Word } from '../lexer.js';
import { type Notation, on, positive, time, userAndGroup } from '../notations.js';
import { word } from '../print-words.js';
import type { Report } from '../report.js';
import { optional, own, type Table, unwritten } from '../row.js';
import { argumentsOf, keyword, type NamelessShape, one } from '../shapes.js';
import { type Block, settingOf } from '../tree.js';
import { anyWord, atLeastOne, command, integer, readInteger, timer } from '../values.js';

/** Without a program, or a file, nothing is tracked: that is known before. */
type ScriptReading = { readonly name: string; readonly command: readonly Word[]; readonly report: Report };
type FileReading = { readonly name: string; readonly path: string };

const inSeconds = (value: Micros) => `${value / 1_000_000} sec`;
const times = positive(2_147_483_647);
/** 0 is taken for a second, as in keepalived. */
const period: Notation<Micros> = {
  ...time(),
  shape: one(atLeastOne(timer(1))),
  read: (statement) => time().read(statement) || seconds(1),
};

export const scriptRows: Table<TrackScript, unknown, ScriptReading> = {
  name: unwritten((_, { name }) => name),
  command: {
    shapes: { script: keyword(argumentsOf({ required: [command], rest: anyWord })) },
    read: (_, { name, command: words, report }) => readCommand(name, words, report),
    print: (value) => [`script ${word(commandText(value))}`],
  },
  interval: own('interval', period, () => seconds(1), {
    isPrinted: () => true,
    dump: { data: ['Interval', inSeconds] },
  }),
  timeout: own('timeout', period, ({ interval }) => interval, {
    dump: { data: ['Timeout', inSeconds] },
  }),
  rise: own('rise', times, () => 1, { dump: { data: ['Rise', Number] } }),
  fall: own('fall', times, () => 1, { dump: { data: ['Fall', Number] } }),
  account: optional('user', userAndGroup),
  failsAtStart: own('init_fail', on, () => false),
};

function readCommand(name: string, [first, ...more]: readonly Word[], report: Report): string[] {
  if (first === undefined) return [];
  if (more.length > 0) {
    const message = `${name} runs ${first.text} with the words behind it; keepalived 2.2 runs it without them`;
    report.add('differs', first, message, 'put the program and its words into one pair of quotes');
  }
  return [...splitCommand(first.text), ...more.map(({ text }) => text)];
}

function trackableRows(shape: NamelessShape, usualWeight: number): Table<Trackable, unknown> {
  return {
    weight: {
      shapes: { weight: shape },
      read: (block) => readInteger(wordsOf(block, 'weight')?.[0] ?? '') ?? usualWeight,
      print: (value, { isReversed }) => [`weight ${value}${isReversed ? ' reverse' : ''}`],
      dump: { data: ['Weight', Number] },
    },
    isReversed: unwritten((block) => wordsOf(block, 'weight')?.includes('reverse') ?? false),
  };
}

/** Not printed: the tracks have it. */
export const weightOfScriptRows = trackableRows(weight(253), 0);

const anyInteger = integer(-2_147_483_648, 2_147_483_647);
const weightOfFile = keyword(argumentsOf({ required: [anyInteger], options: { reverse: [] } }));

export const fileRows: Table<TrackFile, unknown, FileReading> = {
  name: unwritten((_, { name }) => name),
  path: {
    shapes: { file: keyword(argumentsOf({ required: [anyWord] }), { firstCounts: true }) },
    read: (_, { path }) => path,
    print: (value) => [`file ${word(value)}`],
    dump: { data: ['File', String] },
  },
  ...trackableRows(weightOfFile, 1),
  initial: {
    shapes: { init_file: keyword(argumentsOf({ options: { overwrite: [] }, rest: anyWord })) },
    read: (block) => {
      const words = wordsOf(block, 'init_file');
      return words && (readInteger(words.find((text) => text !== 'overwrite') ?? '0') ?? 0);
    },
    print: (value, { overwrites }) =>
      value === undefined ? [] : [`init_file ${value}${overwrites ? ' overwrite' : ''}`],
  },
  overwrites: unwritten((block) => wordsOf(block, 'init_file')?.includes('overwrite') ?? false),
};

function wordsOf(block: Block, name: string): string[] | undefined {
  return settingOf(block, name)?.arguments.map(({ text }) => text);
}
