// Files as read, and places in them. A place counts columns in UTF-16 units; diagnostics turn them into characters.
// Line starts are found only when a diagnostic needs to show a line, so that a good file costs nothing here.

/** Longer lines are refused: an expression that walks a line more than once stays harmless. */
export const maxLineLength = 65_536;

/** One text that was read; `index` is the order in which the texts were first seen. */
export type SourceFile = { readonly name: string; readonly text: string; readonly index: number };

/** A stretch of one source line; line and column count from 1. */
export type Place = {
  readonly file: SourceFile;
  readonly line: number;
  readonly column: number;
  readonly length: number;
};

const lineStarts = new WeakMap<SourceFile, number[]>();

/** The text of a line without its line end; empty beyond the end of the file. */
export function sourceLine(file: SourceFile, line: number): string {
  const starts = lineStarts.get(file) ?? findLineStarts(file);
  const start = starts[line - 1];
  if (start === undefined) return '';
  const text = file.text.slice(start, (starts[line] ?? file.text.length + 1) - 1);
  return text.endsWith('\r') ? text.slice(0, -1) : text;
}

function findLineStarts(file: SourceFile): number[] {
  const starts = [0];
  for (let end = file.text.indexOf('\n'); end >= 0; end = file.text.indexOf('\n', end + 1))
    starts.push(end + 1);
  lineStarts.set(file, starts);
  return starts;
}
