// `$NAME=value` definitions and `$NAME`, `${NAME}` uses. A value is expanded when it is used, so that it sees the
// definitions in force there. Unknown names stay as text. Randomness and environment are handed in.
// A budget bounds what all expansions of one configuration may produce.

import { posix } from 'node:path';
import { type Insertion, type Line, placeIn } from './line.js';
import type { Report } from './report.js';
import type { Place } from './source.js';

/** What the text may ask of its surroundings. */
export type Environment = {
  /** Answers `${_ENV NAME}`. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Uniform in [0, 1); answers `${_RANDOM MIN MAX}`. */
  readonly random: () => number;
  /** Relative file names are relative to it; answers `${_PWD}`. */
  readonly workingDirectory: string;
};

export const emptyEnvironment: Environment = { variables: {}, random: () => 0, workingDirectory: '/' };

export const maxExpandedLines = 200_000;
export const maxExpandedCharacters = 16 * 1024 * 1024;
export const maxExpansionDepth = 32;

/** What expansions may still produce; shared by variables and generators. */
export type Budget = { lines: number; characters: number; isExhausted: boolean };

export type Variables = {
  readonly values: Map<string, string>;
  readonly environment: Environment;
  readonly configId: string;
  readonly budget: Budget;
};

export function createVariables(environment: Environment, configId: string): Variables {
  const budget = { lines: maxExpandedLines, characters: maxExpandedCharacters, isExhausted: false };
  return { values: new Map(), environment, configId, budget };
}

/** Takes from the budget; says so once when it is used up, and from then on nothing expands. */
export function spend(
  budget: Budget,
  lines: number,
  characters: number,
  place: Place,
  report: Report,
): boolean {
  if (budget.isExhausted) return false;
  budget.lines -= lines;
  budget.characters -= characters;
  if (budget.lines >= 0 && budget.characters >= 0) return true;
  exhaust(
    budget,
    place,
    report,
    `more than ${maxExpandedLines} lines or ${maxExpandedCharacters} characters`,
  );
  return false;
}

export function exhaust(budget: Budget, place: Place, report: Report, limit: string): void {
  if (budget.isExhausted) return;
  budget.isExhausted = true;
  report.add(
    'expansion-limit',
    place,
    `variables and generators expand to ${limit}`,
    'does one contain itself?',
  );
}

const definition = /^\s*\$([A-Za-z_]\w*)=(.*)$/s;
const spacedDefinition = /^\s*\$([A-Za-z_]\w*)\s+=/;

/** `$NAME=value`: name, the value's first line, and whether more lines follow (`\` at the end). */
export function readDefinition(
  text: string,
): { name: string; value: string; continues: boolean } | undefined {
  const match = definition.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { name: match[1], ...continuation(match[2]) };
}

/** A line of a multi-line value: its text, and whether another follows. */
export function continuation(text: string): { value: string; continues: boolean } {
  const value = text.trim();
  return value.endsWith('\\')
    ? { value: value.slice(0, -1).trim(), continues: true }
    : { value, continues: false };
}

export function define(
  variables: Variables,
  name: string,
  value: string,
  place: Place,
  report: Report,
): void {
  if (predefined.has(name)) {
    report.add('invalid-definition', place, `$${name} is predefined`, 'choose a name without the leading _');
    return;
  }
  variables.values.set(name, value);
}

/** `$NAME = value` looks like a definition and is none. */
export function isSpacedDefinition(text: string, variables: Variables): boolean {
  const name = spacedDefinition.exec(text)?.[1];
  return name !== undefined && !variables.values.has(name);
}

type Predefined = (variables: Variables, parameters: readonly string[], line: Line) => string | undefined;

const predefined = new Map<string, Predefined>([
  ['_PWD', (variables, _, line) => directoryOf(variables.environment, line.file.name)],
  ['_INSTANCE', (variables) => variables.configId],
  ['_RANDOM', (variables, [low, high]) => randomBetween(variables.environment.random, low, high)],
  [
    '_ENV',
    (variables, [name]) => (name === undefined ? undefined : (variables.environment.variables[name] ?? '')),
  ],
  ['_HASH', () => '#'],
  ['_BANG', () => '!'],
]);

export function directoryOf(environment: Environment, file: string): string {
  return posix.dirname(posix.resolve('/', environment.workingDirectory, file));
}

function randomBetween(random: () => number, low = '0', high = '32767'): string | undefined {
  const [from, to] = [Number(low), Number(high)];
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || to < from) return undefined;
  return String(from + Math.floor(random() * (to - from + 1)));
}

const use = /\$\{([A-Za-z_]\w*)((?:\s[^}$]*)?)\}|\$([A-Za-z_]\w*)(?=\s|$)/g;

/**
 * The line with its uses replaced, or undefined when there is none. A value of several lines comes in with its
 * line ends, and the caller takes them one by one; a value of one line is expanded to the end here.
 */
export function expandLine(line: Line, variables: Variables, report: Report): Line | undefined {
  const pieces: string[] = [];
  const insertions: Insertion[] = [];
  let length = 0;
  let copied = 0;
  const copy = (to: number) => {
    for (const kept of line.insertions) {
      if (kept.start < to && kept.end > copied) {
        const start = length + Math.max(0, kept.start - copied);
        insertions.push({ ...kept, start, end: length + Math.min(to, kept.end) - copied });
      }
    }
    pieces.push(line.text.slice(copied, to));
    length += to - copied;
  };
  for (const match of line.text.matchAll(use)) {
    const place = placeIn(line, match.index, match.index + match[0].length);
    const value = lookUp(match, variables, line);
    if (value === undefined) continue;
    const text = value.includes('\n') ? value : expandValue(value, variables, line, place, report, 0);
    if (!spend(variables.budget, 0, text.length + 1, place, report)) return undefined;
    copy(match.index);
    insertions.push({ start: length, end: length + text.length, column: place.column, length: place.length });
    pieces.push(text);
    length += text.length;
    copied = match.index + match[0].length;
  }
  if (copied === 0 && pieces.length === 0) return undefined;
  copy(line.text.length);
  return { ...line, text: pieces.join(''), insertions: insertions.filter(({ start, end }) => end > start) };
}

function expandValue(
  value: string,
  variables: Variables,
  line: Line,
  place: Place,
  report: Report,
  depth: number,
): string {
  if (!value.includes('$') || variables.budget.isExhausted) return value;
  if (depth >= maxExpansionDepth) {
    exhaust(variables.budget, place, report, `more than ${maxExpansionDepth} levels`);
    return value;
  }
  return value.replace(use, (whole, braced, parameters, bare) => {
    if (variables.budget.isExhausted) return '';
    const inner = lookUp([whole, braced, parameters, bare], variables, line);
    if (inner === undefined) return whole;
    const isLines = inner.includes('\n');
    const text = isLines ? inner : expandValue(inner, variables, line, place, report, depth + 1);
    return spend(variables.budget, 0, text.length + 1, place, report) ? text : '';
  });
}

function lookUp(
  [, braced, parameters, bare]: readonly (string | undefined)[],
  variables: Variables,
  line: Line,
): string | undefined {
  const name = braced ?? bare ?? '';
  const words = (parameters ?? '').split(/\s+/).filter((word) => word !== '');
  const builtIn = predefined.get(name);
  if (builtIn !== undefined) return builtIn(variables, words, line);
  return words.length === 0 ? variables.values.get(name) : undefined;
}
