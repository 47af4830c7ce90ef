// What is said about a configuration, as values, and its text: `FILE:LINE:COL: severity: TEXT [code]`, the source
// line, a caret line and help. Carets line up under tabs, wide and zero-width characters; control characters of
// the source never reach a terminal.

import type { Origin } from '../model/origin.js';
import type { DiagnosticCode, Severity } from './codes.js';

/** `length` counts characters from `column`; at least 1. */
export type DiagnosticOrigin = Origin & { readonly length: number };

export type Diagnostic = {
  readonly severity: Severity;
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly help: string | undefined;
  readonly origin: DiagnosticOrigin;
  /** The line as it stands in the file, without its line end. */
  readonly sourceLine: string;
};

/** All of them, one after the other, with a line end after each. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join('');
}

export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, length } = diagnostic.origin;
  const head = `${file}:${line}:${column}: ${diagnostic.severity}: ${diagnostic.message} [${diagnostic.code}]`;
  const lines = [head];
  if (diagnostic.sourceLine !== '') {
    const shown = excerpt(diagnostic.sourceLine, column, length);
    lines.push(shown.text, shown.carets);
  }
  if (diagnostic.help !== undefined) lines.push(`help: ${diagnostic.help}`);
  // The message and the help quote the source, and a file's name may hold anything.
  return lines.map(printableLine).join('\n');
}

/** The form for `--json` and the admin API. */
export function diagnosticJson(diagnostic: Diagnostic): Record<string, string | number> {
  const { severity, code, message, help, origin, sourceLine } = diagnostic;
  return { severity, code, message, ...(help === undefined ? {} : { help }), ...origin, sourceLine };
}

/** `--werror`: what would pass as a warning or notice stops a start or a reload. */
export function asErrors(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return diagnostics.map((diagnostic) => ({ ...diagnostic, severity: 'error' }));
}

const longestLineShown = 160;

/** The part of the line around the column, and the carets under it. */
function excerpt(line: string, column: number, length: number): { text: string; carets: string } {
  const characters = Array.from(line);
  const start = column - 1;
  const from = characters.length <= longestLineShown ? 0 : Math.max(0, start - longestLineShown / 2);
  const shown = characters.slice(from, from + longestLineShown).map(printable);
  const before = shown
    .slice(0, start - from)
    .map(blankFor)
    .join('');
  const marked = shown.slice(start - from, start - from + length);
  const width = Math.max(
    1,
    marked.map(displayWidth).reduce((sum, cells) => sum + cells, 0),
  );
  return { text: shown.join(''), carets: `${before}^${'~'.repeat(width - 1)}` };
}

function printableLine(line: string): string {
  return Array.from(line, printable).join('');
}

function printable(character: string): string {
  if (character === '\t') return character;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || isDirectional(code) ? '\u{fffd}' : character;
}

/** Characters that would reorder the line on a terminal. */
function isDirectional(code: number): boolean {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

function blankFor(character: string): string {
  return character === '\t' ? '\t' : ' '.repeat(displayWidth(character));
}

/** Cells that a terminal gives the character: 0, 1 or 2. */
function displayWidth(character: string): number {
  if (character < '\u{300}') return 1;
  if (/^(?:\p{Mn}|\p{Me}|\p{Cf})$/u.test(character)) return 0;
  return wideCharacter.test(character) ? 2 : 1;
}

// East Asian wide and full-width blocks, and the emoji planes.
const wideCharacter =
  /^[\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
