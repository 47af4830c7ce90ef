// A keyword is one row: made-up ones are read, inherited, refused, printed and dumped by their row alone.
import { expect, test } from 'vitest';
import { readLines } from '../../../src/config/include.js';
import { either, not, on, oneWord, time, whole, yesOrNo } from '../../../src/config/notations.js';
import { createParser, finishParsing, parseLine } from '../../../src/config/parser.js';
import { createPreprocessor, finishPreprocessing } from '../../../src/config/preprocess.js';
import { createReport } from '../../../src/config/report.js';
import {
  dataLines,
  globalShapesOf,
  type Inheriting,
  inherited,
  jsonFields,
  optional,
  printRows,
  readGlobals,
  readRows,
  shapesOf,
  type Table,
  unwritten,
} from '../../../src/config/row.js';
import { keywords, type Shapes } from '../../../src/config/shapes.js';
import { integer, oneOf } from '../../../src/config/values.js';
import { emptyEnvironment } from '../../../src/config/variables.js';
import { type Micros, seconds } from '../../../src/model/units.js';

type Lamp = {
  readonly isLit: boolean;
  readonly isQuiet: boolean;
  readonly colour: 'red' | 'green';
  readonly power: number | undefined;
  readonly glow: Micros;
  readonly halfGlow: number;
  readonly base: 'screw' | 'pin';
};

const usual: Lamp = {
  isLit: true,
  isQuiet: true,
  colour: 'red',
  power: undefined,
  glow: seconds(2),
  halfGlow: 1_000_000,
  base: 'screw',
};

const lamp: Table<Lamp, Inheriting<Lamp>> = {
  isLit: inherited('isLit', 'lit', yesOrNo, () => true, { isPrinted: () => true }),
  isQuiet: inherited('isQuiet', 'hum', not(yesOrNo), () => true, { global: ['lamps_hum', not(on)] }),
  colour: inherited(
    'colour',
    'colour',
    oneWord(oneOf(['RED', 'GREEN']), { RED: 'red', GREEN: 'green' }),
    () => usual.colour,
    {
      dump: { data: ['Colour', (value) => (value === 'red' ? undefined : value)] },
    },
  ),
  power: optional('power', whole(integer(1, 100))),
  glow: inherited('glow', 'glow', time(0, 10_000_000), () => seconds(2), {
    global: ['lamps_glow', time()],
    dump: { data: ['Glow', (value) => value / 1_000_000], json: ['glow_s', (value) => value / 1_000_000] },
  }),
  halfGlow: unwritten((_block, _above, { glow }) => glow / 2),
  base: inherited('base', 'pins', either(on, 'pin', 'screw'), () => usual.base),
};

function parse(shapes: Shapes, text: string) {
  const report = createReport(false);
  const parser = createParser(report, keywords({ now: shapes }));
  const preprocessor = createPreprocessor(report, emptyEnvironment, '', (words) => parseLine(parser, words));
  readLines([{ file: 'lamp.conf', text }], preprocessor, () => []);
  finishPreprocessing(preprocessor);
  return { block: finishParsing(parser), said: report.finish().map(({ code }) => code) };
}

function read(text: string, global = ''): Lamp {
  const above = parse(globalShapesOf(lamp), global);
  const here = parse(shapesOf(lamp), text);
  expect([...above.said, ...here.said]).toEqual([]);
  const said = readGlobals(lamp, above.block);
  return readRows(lamp, here.block, { inherited: said });
}

const print = (item: Lamp) => printRows(lamp, item, { inherited: {} }).join('\n');

test.each<readonly [string, Partial<Lamp>, string]>([
  ['', {}, 'lit'],
  ['lit no', { isLit: false }, 'lit no'],
  ['hum', { isQuiet: false }, 'lit\nhum'],
  ['hum no', {}, 'lit'],
  ['colour GREEN', { colour: 'green' }, 'lit\ncolour GREEN'],
  ['power 60', { power: 60 }, 'lit\npower 60'],
  ['glow 0.25', { glow: 250_000 as Micros, halfGlow: 125_000 }, 'lit\nglow 0.25'],
  ['pins', { base: 'pin' }, 'lit\npins'],
])('%j is read, and printed as the same', (text, expected, printed) => {
  const item = read(text);
  expect(item).toEqual({ ...usual, ...expected });
  expect(print(item)).toBe(printed);
  expect(read(print(item))).toEqual(item);
});

test('global_defs speaks where the block is silent', () => {
  expect(read('', 'lamps_glow 5\nlamps_hum')).toEqual({
    ...usual,
    isQuiet: false,
    glow: seconds(5),
    halfGlow: 2_500_000,
  });
  expect(read('glow 1\nhum no', 'lamps_glow 5\nlamps_hum')).toMatchObject({
    isQuiet: true,
    glow: seconds(1),
  });
});

test.each([
  ['power 101', 'out-of-range'],
  ['glow 11', 'out-of-range'],
  ['colour BLUE', 'invalid-value'],
  ['lamps_glow 1', 'unknown-keyword'],
  ['half_glow 1', 'unknown-keyword'],
])('%s is refused: %s', (text, code) => {
  expect(parse(shapesOf(lamp), text).said).toEqual([code]);
});

test('dumps have the fields that a row names, all or some of them', () => {
  const green: Lamp = { ...usual, colour: 'green' };
  expect(dataLines(lamp, green)).toEqual(['   Colour = green', '   Glow = 2']);
  expect(dataLines(lamp, green, 'glow', 'colour')).toEqual(['   Glow = 2', '   Colour = green']);
  expect(dataLines(lamp, usual, 'colour', 'base')).toEqual([]);
  expect(jsonFields(lamp, green)).toEqual({ glow_s: 2 });
});
