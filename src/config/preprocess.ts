// Lines of text to lines of words, in keepalived's order: comments off, conditions, generators, definitions, uses.
// A plain line costs one scan; only lines with `@`, `~` or `$` take the long way, which is bounded by a budget.

import { applyCondition, type Skip, skipAfter, skipLine } from './conditional.js';
import { readGenerator } from './generator.js';
import { commentStart, lexLine, type Word } from './lexer.js';
import { insertedLine, type Line, lineFrom, lineOf, locateIn, placeIn } from './line.js';
import type { Report } from './report.js';
import type { Place, SourceFile } from './source.js';
import {
  continuation,
  createVariables,
  define,
  type Environment,
  exhaust,
  expandLine,
  isSpacedDefinition,
  maxExpansionDepth,
  readDefinition,
  spend,
  type Variables,
} from './variables.js';

export type Preprocessor = {
  readonly report: Report;
  readonly emit: (words: readonly Word[]) => void;
  readonly variables: Variables;
  skip: Skip;
  /** A definition whose value goes on in the next line. */
  unfinished: { readonly name: string; readonly place: Place; readonly lines: string[] } | undefined;
  /** One array for all plain lines: `emit` does not keep it. */
  readonly words: Word[];
};

/** `emit` gets the words of one logical line; the array is reused afterwards. */
export function createPreprocessor(
  report: Report,
  environment: Environment,
  configId: string,
  emit: (words: readonly Word[]) => void,
): Preprocessor {
  const variables = createVariables(environment, configId);
  return { report, emit, variables, skip: { kind: 'none' }, unfinished: undefined, words: [] };
}

/** True when the state left by earlier lines makes even a plain line take the long way. */
export function isBusy(preprocessor: Preprocessor): boolean {
  return preprocessor.unfinished !== undefined || preprocessor.skip.kind !== 'none';
}

/** The stretch [start, end) of the file, a line without `@`, `~`, `$`, while the preprocessor is not busy. */
export function feedPlainLine(
  preprocessor: Preprocessor,
  file: SourceFile,
  line: number,
  start: number,
  end: number,
): void {
  const { words, report, emit } = preprocessor;
  words.length = 0;
  lexLine({ file, line, text: file.text, start, end, locate: undefined }, words, report);
  if (words.length > 0) emit(words);
}

/** Any line. Yields between the rounds of a generator and the lines of a value. */
export function feedLine(preprocessor: Preprocessor, file: SourceFile, line: number, text: string): void {
  const bare = text.slice(0, commentStart(text, 0, text.length));
  if (preprocessor.unfinished !== undefined) {
    // As keepalived: a line that is a comment alone is no part of the value, and does not end it.
    if (bare !== text && bare.trim() === '') return;
    continueDefinition(preprocessor, bare);
    return;
  }
  take(preprocessor, lineOf(file, line, bare), 0);
}

/** At the end of the text: a definition that never ended is taken as it is. */
export function finishPreprocessing(preprocessor: Preprocessor): void {
  if (preprocessor.unfinished !== undefined) finishDefinition(preprocessor);
}

function take(preprocessor: Preprocessor, whole: Line, depth: number): void {
  const { variables, report } = preprocessor;
  if (report.isFull() || variables.budget.isExhausted) return;
  if (preprocessor.skip.kind !== 'none') {
    const { skip, isDropped } = skipLine(preprocessor.skip, whole.text);
    preprocessor.skip = skip;
    if (isDropped) return;
  }
  const { kept: line, rest } = applyCondition(whole, variables.configId);
  if (line === undefined) {
    preprocessor.skip = skipAfter(rest);
    return;
  }
  if (depth > maxExpansionDepth) {
    const limit = `more than ${maxExpansionDepth} levels`;
    exhaust(variables.budget, placeIn(line, 0, line.text.length), report, limit);
    return;
  }
  if (/^\s*~/.test(line.text) && generate(preprocessor, line, depth)) return;
  if (takeDefinition(preprocessor, line)) return;
  const expanded = line.text.includes('$') ? expandLine(line, variables, report) : undefined;
  if (expanded === undefined) {
    emitLine(preprocessor, line);
  } else if (expanded.text.includes('\n')) {
    takeLines(preprocessor, expanded, depth);
  } else if (/^\s*(?:[@~]|\$\w+=)/.test(expanded.text)) {
    take(preprocessor, expanded, depth + 1);
  } else {
    emitLine(preprocessor, expanded);
  }
}

/** The lines of an expanded value, each in turn: a definition among them holds for those after it. */
function takeLines(preprocessor: Preprocessor, expanded: Line, depth: number): void {
  const { budget } = preprocessor.variables;
  let start = 0;
  for (const text of expanded.text.split('\n')) {
    const place = placeIn(expanded, start, start + text.length);
    if (!spend(budget, 1, text.length, place, preprocessor.report)) return;
    const isFirst = start === 0;
    start += text.length + 1;
    if (preprocessor.unfinished !== undefined) continueDefinition(preprocessor, text);
    else if (isFirst) take(preprocessor, firstLine(expanded, text), depth + 1);
    else take(preprocessor, insertedLine(place, text), depth + 1);
  }
}

/** What stands before the use keeps its own columns. */
function firstLine(expanded: Line, text: string): Line {
  const insertions = expanded.insertions.filter((insertion) => insertion.start < text.length);
  return { ...expanded, text, insertions };
}

/** False when the line only looks like a generator (`~` begins another word). */
function generate(preprocessor: Preprocessor, line: Line, depth: number): boolean {
  const { variables, report } = preprocessor;
  const generator = readGenerator(line.text);
  if (generator === undefined) return false;
  const place = placeIn(line, line.text.indexOf('~'), generator.end);
  if ('problem' in generator) {
    report.add('invalid-generator', place, `this generator cannot be read: ${generator.problem}`);
    return true;
  }
  const rest = lineFrom(line, generator.end);
  const before = generator.names.map((name) => variables.values.get(name));
  for (let round = 0; round < generator.count; round++) {
    if (!spend(variables.budget, 1, rest.text.length, place, report)) break;
    const values = generator.valuesAt(round);
    for (const [i, name] of generator.names.entries()) variables.values.set(name, values[i] ?? '');
    take(preprocessor, rest, depth + 1);
  }
  for (const [i, name] of generator.names.entries()) {
    const value = before[i];
    if (value === undefined) variables.values.delete(name);
    else variables.values.set(name, value);
  }
  return true;
}

function takeDefinition(preprocessor: Preprocessor, line: Line): boolean {
  const { variables, report } = preprocessor;
  const definition = readDefinition(line.text);
  if (definition === undefined) {
    if (!isSpacedDefinition(line.text, variables)) return false;
    const place = placeIn(line, line.text.indexOf('$'), line.text.length);
    report.add(
      'invalid-definition',
      place,
      'no space may stand before the = of a definition',
      'write $NAME=value',
    );
    return true;
  }
  const place = placeIn(line, line.text.indexOf('$'), line.text.length);
  if (definition.continues) {
    preprocessor.unfinished = { name: definition.name, place, lines: [definition.value] };
  } else {
    define(variables, definition.name, definition.value, place, report);
  }
  return true;
}

function continueDefinition(preprocessor: Preprocessor, text: string): void {
  const { value, continues } = continuation(text);
  preprocessor.unfinished?.lines.push(value);
  if (!continues) finishDefinition(preprocessor);
}

function finishDefinition(preprocessor: Preprocessor): void {
  const { unfinished, variables, report } = preprocessor;
  if (unfinished === undefined) return;
  const [first = '', ...others] = unfinished.lines;
  const lines = first === '' ? others : unfinished.lines;
  define(variables, unfinished.name, lines.join('\n'), unfinished.place, report);
  preprocessor.unfinished = undefined;
}

function emitLine(preprocessor: Preprocessor, line: Line): void {
  const { words, report, emit } = preprocessor;
  words.length = 0;
  const locate = line.column === 1 && line.insertions.length === 0 ? undefined : locateIn(line);
  const { file, text } = line;
  lexLine({ file, line: line.line, text, start: 0, end: text.length, locate }, words, report);
  if (words.length > 0) emit(words);
}
