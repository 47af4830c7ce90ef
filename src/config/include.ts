// Physical lines in the order in which they count: `include` puts a file's lines where it stands. It is seen before
// conditions and variables, so neither can guard it. File access is handed in as `ReadFiles`.

import { posix } from 'node:path';
import { escapedByteIn } from '../model/text.js';
import type { Severity } from './codes.js';
import { expandBraces, hasWildcard, type IncludedFile, type ReadFiles } from './glob.js';
import { commentStart } from './lexer.js';
import { feedLine, feedPlainLine, isBusy, type Preprocessor } from './preprocess.js';
import type { Report } from './report.js';
import { maxLineLength, type Place, type SourceFile } from './source.js';

export const maxIncludeDepth = 32;
export const maxIncludedFiles = 10_000;
type Check = 'readable' | 'match' | 'wildcard_match' | 'brace_match';

const allChecks: readonly Check[] = ['readable', 'match', 'wildcard_match', 'brace_match'];

/** What the letter after `include` asks for, on top of `include_check`. */
const checksByLetter: Readonly<Record<string, readonly Check[]>> = {
  r: ['readable'],
  m: ['readable', 'match'],
  w: ['readable', 'wildcard_match'],
  b: ['readable', 'brace_match'],
  a: allChecks,
};

/** A file that is being read. It starts with the checks of the one that includes it, and keeps its own. */
type Reader = {
  readonly file: SourceFile;
  readonly parent: Reader | undefined;
  readonly depth: number;
  readonly special: RegExp;
  at: number;
  line: number;
  /** Offset of the next `@`, `~` or `$`; lines before it are plain. */
  nextSpecial: number;
  checks: ReadonlySet<Check>;
};

type Includes = {
  readonly preprocessor: Preprocessor;
  readonly report: Report;
  readonly readFiles: ReadFiles;
  /** The last one is being read; those of one pattern wait below it. */
  readonly readers: Reader[];
  files: number;
};

/** Feeds every line of the texts and of what they include. */
export function readLines(
  texts: readonly { readonly file: string; readonly text: string }[],
  preprocessor: Preprocessor,
  readFiles: ReadFiles,
): void {
  const includes: Includes = { preprocessor, report: preprocessor.report, readFiles, readers: [], files: 0 };
  for (const { file, text } of texts) {
    includes.readers.push(createReader(includes, file, text, undefined));
    readAll(includes);
  }
}

function createReader(includes: Includes, name: string, text: string, parent: Reader | undefined): Reader {
  const isUtf16 = utf16Start.test(text);
  const body = isUtf16 ? '' : text.startsWith('\u{feff}') ? text.slice(1) : text;
  const file = { name, text: body, index: includes.files++ };
  const depth = parent === undefined ? 0 : parent.depth + 1;
  const checks = parent?.checks ?? new Set();
  if (isUtf16) {
    const place = { file, line: 1, column: 1, length: 1 };
    includes.report.add('utf-16', place, 'this file is UTF-16: nothing of it is read', 'save it as UTF-8');
  }
  reportForeignBytes(includes.report, file);
  return { file, parent, depth, special: /[@~$]/g, at: 0, line: 0, nextSpecial: -1, checks };
}

/** A byte order mark as decodeText keeps it, or a second byte of zero. */
const utf16Start = /^(?:\udcff\udcfe|\udcfe\udcff|.?\0)/;

/** At the first that is no comment. */
function reportForeignBytes(report: Report, file: SourceFile): void {
  if (escapedByteIn(file.text) < 0) return;
  for (const [i, line] of file.text.split('\n').entries()) {
    const at = escapedByteIn(line);
    if (at < 0 || at >= commentStart(line, 0, line.length)) continue;
    const place = { file, line: i + 1, column: at + 1, length: 1 };
    const message = 'this is no UTF-8: the bytes are taken as they are';
    report.add('not-utf-8', place, message, 'write the file in UTF-8, on every director alike');
    return;
  }
}

function readAll(includes: Includes): void {
  const { preprocessor, report, readers } = includes;
  for (let reader = readers.at(-1); reader !== undefined && !report.isFull(); reader = readers.at(-1)) {
    const { file, at: start } = reader;
    if (start >= file.text.length) {
      readers.pop();
      continue;
    }
    const newline = file.text.indexOf('\n', start);
    const end = newline < 0 ? file.text.length : newline;
    reader.at = end + 1;
    reader.line++;
    if (end - start > maxLineLength) {
      const place = { file, line: reader.line, column: 1, length: 1 };
      report.add(
        'line-too-long',
        place,
        `this line has ${end - start} characters; the limit is ${maxLineLength}`,
      );
    } else if (!takeInclude(includes, reader, start, end)) {
      if (isPlain(reader, start, end) && !isBusy(preprocessor)) {
        feedPlainLine(preprocessor, file, reader.line, start, end);
      } else {
        feedLine(preprocessor, file, reader.line, file.text.slice(start, end));
      }
    }
  }
}

function isPlain(reader: Reader, start: number, end: number): boolean {
  if (reader.nextSpecial < start) {
    reader.special.lastIndex = start;
    reader.nextSpecial = reader.special.exec(reader.file.text)?.index ?? Number.POSITIVE_INFINITY;
  }
  return reader.nextSpecial >= end;
}

const includeLine = /^\s*include(?:([rmwba]?)|(_check))(?:\s+(.*))?$/;

/** True when the line is an include and is dealt with. */
function takeInclude(includes: Includes, reader: Reader, start: number, end: number): boolean {
  const { text } = reader.file;
  let at = start;
  while (at < end && text.charCodeAt(at) <= 32) at++;
  if (!text.startsWith('include', at) || at >= end) return false;
  const line = text.slice(start, commentStart(text, start, end)).trimEnd();
  const match = includeLine.exec(line);
  if (match === null) return false;
  if (match[2] !== undefined) {
    reader.checks = changedChecks(reader.checks, (match[3] ?? '').split(/\s+/));
    return false;
  }
  const checks = new Set([...reader.checks, ...(checksByLetter[match[1] ?? ''] ?? [])]);
  const column = at - start + 1;
  const place = { file: reader.file, line: reader.line, column, length: line.length - column + 1 };
  const pattern = (match[3] ?? '').replace(/^(["'])(.*)\1$/, '$2');
  if (pattern === '') includes.report.add('missing-value', place, 'include needs the name of a file');
  else includeFiles(includes, reader, pattern, checks, place);
  return true;
}

/** `include_check`, `include_check match`, `include_check +match -wildcard_match`. */
function changedChecks(checks: ReadonlySet<Check>, words: readonly string[]): ReadonlySet<Check> {
  const named = words.filter((word) => word !== '');
  if (named.length === 0) return new Set(allChecks);
  const changed = new Set(/^[+-]/.test(named[0] ?? '') ? checks : []);
  let adds = true;
  for (const word of named) {
    if (/^[+-]/.test(word)) adds = word.startsWith('+');
    const check = allChecks.find((candidate) => candidate === word.replace(/^[+-]/, ''));
    if (check !== undefined) adds ? changed.add(check) : changed.delete(check);
  }
  return changed;
}

function includeFiles(
  includes: Includes,
  reader: Reader,
  pattern: string,
  checks: ReadonlySet<Check>,
  place: Place,
): void {
  const { report } = includes;
  const names = expandBraces(pattern);
  if (names === undefined) {
    report.add('include-limit', place, 'these braces stand for too many names');
    return;
  }
  const found: Reader[] = [];
  for (const name of names) {
    const path = name.startsWith('/') ? name : posix.join(posix.dirname(reader.file.name), name);
    const files = includes.readFiles(path);
    if (files.length === 0) reportMissing(report, path, names.length > 1, checks, place);
    for (const file of files) {
      const opened = openIncluded(includes, reader, file, checks, place);
      if (opened !== undefined) found.push(opened);
    }
  }
  includes.readers.push(...found.toReversed());
}

function openIncluded(
  includes: Includes,
  reader: Reader,
  included: IncludedFile,
  checks: ReadonlySet<Check>,
  place: Place,
): Reader | undefined {
  const { report } = includes;
  if ('problem' in included) {
    const severity: Severity = checks.size > 0 ? 'error' : 'warning';
    report.add('include-unreadable', place, `${included.file}: ${included.problem}`, undefined, severity);
    return undefined;
  }
  for (let parent: Reader | undefined = reader; parent !== undefined; parent = parent.parent) {
    if (posix.normalize(parent.file.name) === posix.normalize(included.file)) {
      report.add('include-cycle', place, `${included.file} includes itself`, 'remove one of the includes');
      return undefined;
    }
  }
  if (reader.depth >= maxIncludeDepth || includes.files >= maxIncludedFiles) {
    const limit = reader.depth >= maxIncludeDepth ? `${maxIncludeDepth} levels` : `${maxIncludedFiles} files`;
    report.addOnce('include-limit', limit, place, `includes go beyond ${limit}`);
    return undefined;
  }
  return createReader(includes, included.file, included.text, reader);
}

/** A pattern may match nothing; a plain name that does is worth a word even when nothing stricter was asked for. */
function reportMissing(
  report: Report,
  path: string,
  isBrace: boolean,
  checks: ReadonlySet<Check>,
  place: Place,
): void {
  const check: Check = isBrace ? 'brace_match' : hasWildcard(path) ? 'wildcard_match' : 'match';
  if (checks.has(check)) report.add('include-missing', place, `no file matches ${path}`, undefined, 'error');
  else if (!hasWildcard(path)) report.add('include-missing', place, `no file matches ${path}`);
}
