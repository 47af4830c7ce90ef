// A logical line on its way through preprocessing: its text, and where each part of it stands in the source.
// What came from an expansion carries the place where it was used.

import type { Locate } from './lexer.js';
import type { Place, SourceFile } from './source.js';

/** A stretch [start, end) of the text that an expansion put there, and the source stretch it replaced. */
export type Insertion = {
  readonly start: number;
  readonly end: number;
  readonly column: number;
  readonly length: number;
};

export type Line = {
  readonly file: SourceFile;
  readonly line: number;
  readonly text: string;
  /** Column of the first character, as far as it is no insertion. */
  readonly column: number;
  /** Ascending and disjoint. */
  readonly insertions: readonly Insertion[];
};

export function lineOf(file: SourceFile, line: number, text: string): Line {
  return { file, line, text, column: 1, insertions: [] };
}

/** The rest of the line from `start` on. */
export function lineFrom(line: Line, start: number): Line {
  if (start === 0) return line;
  const insertions: Insertion[] = [];
  for (const insertion of line.insertions) {
    if (insertion.end > start) {
      insertions.push({
        ...insertion,
        start: Math.max(0, insertion.start - start),
        end: insertion.end - start,
      });
    }
  }
  return { ...line, text: line.text.slice(start), column: columnAt(line, start), insertions };
}

/** A line of an expanded text: all of it stands where `place` is. */
export function insertedLine(place: Place, text: string): Line {
  const { file, line, column, length } = place;
  return { file, line, text, column, insertions: [{ start: 0, end: text.length, column, length }] };
}

export function placeIn(line: Line, start: number, end: number): Place {
  return { file: line.file, line: line.line, ...locateIn(line)(start, end) };
}

/** Answers for ascending and for arbitrary offsets; the number of insertions in a line is small. */
export function locateIn(line: Line): Locate {
  return (start, end) => {
    const insertion = line.insertions.find((candidate) => candidate.start <= start && start < candidate.end);
    if (insertion !== undefined) return { column: insertion.column, length: insertion.length };
    return { column: columnAt(line, start), length: Math.max(1, end - start) };
  };
}

function columnAt(line: Line, at: number): number {
  let column = line.column + at;
  for (const insertion of line.insertions) {
    if (insertion.start > at) break;
    if (at < insertion.end) return insertion.column;
    column = insertion.column + insertion.length + (at - insertion.end);
  }
  return column;
}
