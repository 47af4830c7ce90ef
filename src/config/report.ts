// Collects diagnostics: severity by code, one entry per kind where that is enough, a limit for each severity.
// Stages ask `isFull` and stop; nothing here throws.

import { type CodeEntry, codes, type DiagnosticCode, type Severity } from './codes.js';
import type { Diagnostic } from './diagnostic.js';
import { maxLineLength, type Place, sourceLine } from './source.js';

/** After this many errors the rest of the text is not looked at. */
export const errorLimit = 100;
/** So many times an error may come again in one place, of a line that is repeated, before the text is left alone. */
export const repeatLimit = 1_000;
/** Warnings and notices beyond this many are counted only. */
export const remarkLimit = 200;

const excerptLength = 160;

type Entry = {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  readonly place: Place;
  readonly message: string;
  readonly help: string | undefined;
  more: number;
};

export type Report = {
  /** The same said of the same place again is not listed again. */
  add(code: DiagnosticCode, place: Place, message: string, help?: string, severity?: Severity): void;
  /** As `add`, but only the first of one `kind` is listed; it tells how many more there are. */
  addOnce(code: DiagnosticCode, kind: string, place: Place, message: string, help?: string): void;
  hasErrors(): boolean;
  isFull(): boolean;
  /** In the order of the files and of the places in them. */
  finish(): Diagnostic[];
};

/** `lenient`: errors that only a strict reader has are warnings. */
export function createReport(lenient = false): Report {
  const entries: Entry[] = [];
  const listed = new Set<string>();
  const byKind = new Map<string, Entry>();
  const count = { errors: 0, repeats: 0, remarks: 0 };

  const add = (
    code: DiagnosticCode,
    place: Place,
    message: string,
    help?: string,
    severity: Severity = severityOf(code, lenient),
  ): Entry => {
    const entry = { code, severity, place, message, help, more: 0 };
    // A line that a generator or variable repeats has its mistake in one place.
    const identity = `${place.file.index}:${place.line}:${place.column} ${code} ${message}`;
    if (listed.has(identity)) {
      if (severity === 'error') count.repeats++;
      return entry;
    }
    const number = severity === 'error' ? ++count.errors : ++count.remarks;
    if (number > (severity === 'error' ? errorLimit : remarkLimit)) return entry;
    listed.add(identity);
    entries.push(entry);
    return entry;
  };

  const isFull = (): boolean => count.errors >= errorLimit || count.repeats >= repeatLimit;

  const addOnce: Report['addOnce'] = (code, kind, place, message, help) => {
    const first = byKind.get(`${code} ${kind}`);
    if (first !== undefined) first.more++;
    else byKind.set(`${code} ${kind}`, add(code, place, message, help));
  };

  const finish = (): Diagnostic[] => {
    const sorted = entries.toSorted((a, b) => comparePlaces(a.place, b.place));
    const last = sorted.at(-1);
    const list = sorted.map(toDiagnostic);
    if (last !== undefined && isFull()) {
      const what =
        count.errors >= errorLimit
          ? `${errorLimit} errors`
          : `the same errors ${repeatLimit} times: a generator or variable repeats them`;
      list.push(toDiagnostic({ ...last, ...summary('too-many-errors', `stopped after ${what}`) }));
    }
    if (last !== undefined && count.remarks > remarkLimit) {
      const hidden = `${count.remarks - remarkLimit} more warnings and notices are not shown`;
      list.push(toDiagnostic({ ...last, ...summary('more-warnings', hidden) }));
    }
    return list;
  };

  return {
    add,
    addOnce,
    finish,
    hasErrors: () => count.errors > 0,
    isFull,
  };
}

function severityOf(code: DiagnosticCode, lenient: boolean): Severity {
  const entry: CodeEntry = codes[code];
  return lenient && entry.isLenient ? 'warning' : entry.severity;
}

function summary(code: DiagnosticCode, message: string): Partial<Entry> {
  return { code, severity: codes[code].severity, message, help: undefined, more: 0 };
}

function comparePlaces(a: Place, b: Place): number {
  return a.file.index - b.file.index || a.line - b.line || a.column - b.column;
}

function toDiagnostic(entry: Entry): Diagnostic {
  const { file, line, column, length } = entry.place;
  const whole = sourceLine(file, line);
  // A line that was refused for its length is shown by its beginning.
  const text = whole.length > maxLineLength ? whole.slice(0, excerptLength) : whole;
  const start = Array.from(text.slice(0, column - 1)).length;
  const marked = Array.from(text.slice(column - 1, column - 1 + length)).length;
  return {
    severity: entry.severity,
    code: entry.code,
    message: entry.more === 0 ? entry.message : `${entry.message} (and ${entry.more} more like it)`,
    help: entry.help,
    origin: { file: file.name, line, column: start + 1, length: Math.max(1, marked) },
    sourceLine: text,
  };
}
