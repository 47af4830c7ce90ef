// The text of a diagnostic to the letter, carets under odd characters, order and limits.
import { expect, test } from 'vitest';
import {
  type Diagnostic,
  diagnosticJson,
  formatDiagnostic,
  formatDiagnostics,
} from '../../../src/config/index.js';
import { parseText } from '../../support/parse-config.js';

const diagnostic: Diagnostic = {
  severity: 'error',
  code: 'unknown-keyword',
  message: 'wieght is no keyword in real_server',
  help: 'did you mean weight?',
  origin: { file: 'a.conf', line: 7, column: 9, length: 6 },
  sourceLine: '        wieght 1',
};

test('the form', () => {
  expect(formatDiagnostic(diagnostic)).toBe(
    [
      'a.conf:7:9: error: wieght is no keyword in real_server [unknown-keyword]',
      '        wieght 1',
      '        ^~~~~~',
      'help: did you mean weight?',
    ].join('\n'),
  );
  const { help: _, ...rest } = diagnosticJson({ ...diagnostic, help: undefined });
  expect(rest).toEqual({
    severity: 'error',
    code: 'unknown-keyword',
    message: diagnostic.message,
    file: 'a.conf',
    line: 7,
    column: 9,
    length: 6,
    sourceLine: diagnostic.sourceLine,
  });
});

const carets = (sourceLine: string, column: number, length: number) =>
  formatDiagnostic({ ...diagnostic, sourceLine, origin: { ...diagnostic.origin, column, length } }).split(
    '\n',
  )[2];

test.each([
  ['tabs are kept', '\ta\tb', 4, 1, '\t \t^'],
  ['wide characters take two cells', '東京 x', 4, 1, '     ^'],
  ['a wide character is underlined in full', 'a；', 2, 1, ' ^~'],
  ['combining characters take none', 'e\u{301} x', 4, 1, '  ^'],
  ['emoji count as one character and two cells', '😀 x', 3, 1, '   ^'],
  ['a column beyond the line still has a caret', 'ab', 3, 1, '  ^'],
])('%s', (_, line, column, length, expected) => {
  expect(carets(line, column, length)).toBe(expected);
});

test('control and direction characters never reach the terminal', () => {
  const [head, line, , help] = formatDiagnostic({
    ...diagnostic,
    message: 'x\x1b[2Jy\n is no keyword',
    help: 'not \u{9b}31m',
    sourceLine: 'a\x1b[2Jb\u{202e}c',
  }).split('\n');
  expect(head).toBe('a.conf:7:9: error: x\u{fffd}[2Jy\u{fffd} is no keyword [unknown-keyword]');
  expect(line).toBe('a\u{fffd}[2Jb\u{fffd}c');
  expect(help).toBe('help: not \u{fffd}31m');
});

test('of a long line the part around the column is shown', () => {
  const [, shown = '', marks = ''] = formatDiagnostic({
    ...diagnostic,
    sourceLine: `${'a'.repeat(5000)}X${'b'.repeat(5000)}`,
    origin: { ...diagnostic.origin, column: 5001, length: 1 },
  }).split('\n');
  expect(shown).toHaveLength(160);
  expect(shown[marks.indexOf('^')]).toBe('X');
});

test('columns count characters, not UTF-16 units', () => {
  const [first] = parseText('global_defs {\nrouter_id "😀" x\n}').diagnostics;
  expect(first?.origin).toMatchObject({ line: 2, column: 15, length: 1 });
});

test('a BOM and CRLF leave no trace', () => {
  const [first] = parseText('\u{feff}nonsense\r\n').diagnostics;
  expect(first).toMatchObject({ origin: { line: 1, column: 1, length: 8 }, sourceLine: 'nonsense' });
});

test('all of them, in the order of their places', () => {
  const text = 'virtual_server 10.0.0.1 80 {\nweight x\nreal_server 10.0.0.2 80 {\n}\nnonsense\n}\nmore\n';
  const { diagnostics } = parseText(text);
  expect(diagnostics.map(({ origin }) => origin.line)).toEqual([2, 5, 7]);
  expect(formatDiagnostics(diagnostics).match(/^director\.conf:/gm)).toHaveLength(3);
});

test('errors stop at 100, remarks are counted beyond 200', () => {
  const errors = parseText('nonsense\n'.repeat(1000)).diagnostics;
  expect(errors).toHaveLength(101);
  expect(errors.at(-1)?.code).toBe('too-many-errors');
  const remarks = parseText(`global_defs {\n${'router_id a\n'.repeat(1000)}}`);
  expect(remarks.diagnostics).toHaveLength(201);
  expect(remarks.diagnostics.at(-1)).toMatchObject({ code: 'more-warnings', severity: 'notice' });
  expect(remarks.diagnostics.at(-1)?.message).toContain('799 more');
  expect(remarks.config).toBeDefined();
});

test('what a generator repeats is said once', () => {
  const { diagnostics } = parseText('~SEQ(i,1,500) nonsense\nnonsense $i\n');
  expect(diagnostics.map(({ origin }) => origin.line)).toEqual([1, 2]);
  expect(parseText('~SEQ(i,1,3) nonsense$i').diagnostics).toHaveLength(3);
});

test('a mistake that a generator repeats a thousand times ends the reading', () => {
  const { diagnostics } = parseText('~SEQ(i,1,5000) nonsense\nother\n');
  expect(diagnostics.map(({ code }) => code)).toEqual(['unknown-keyword', 'too-many-errors']);
  expect(diagnostics[1]?.message).toContain('the same errors 1000 times');
});
