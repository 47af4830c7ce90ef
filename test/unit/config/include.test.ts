// Includes: order, relative names, patterns, strictness, limits. The file system is a table.
import { expect, test } from 'vitest';
import { expandBraces, readFilesFrom } from '../../../src/config/glob.js';
import { configOf, parseText, said } from '../../support/parse-config.js';

type Files = Readonly<Record<string, string | null>>;

/** null: a file that cannot be read. */
function filesOf(files: Files) {
  return readFilesFrom({
    list: (directory) => {
      const prefix = directory === '.' ? '' : directory.endsWith('/') ? directory : `${directory}/`;
      const inside = Object.keys(files).filter((name) => name.startsWith(prefix));
      return [...new Set(inside.map((name) => name.slice(prefix.length).split('/')[0] ?? ''))];
    },
    read: (file) => {
      const text = files[file];
      if (text === undefined) return undefined;
      return text === null ? { problem: 'permission denied' } : { text };
    },
  });
}

const routerId = (text: string, files: Files) =>
  configOf(text, { readFiles: filesOf(files), file: 'etc/main.conf' }).global.routerId;

test('an include stands for the lines of its file, relative to the file that includes it', () => {
  const files = { 'etc/sub/a.conf': 'router_id a\ninclude b.conf\n', 'etc/sub/b.conf': 'router_id b' };
  expect(routerId('global_defs {\ninclude sub/a.conf\n}', files)).toBe('b');
  expect(routerId('global_defs {\nrouter_id x\ninclude "sub/b.conf" # b\n}', files)).toBe('b');
  expect(routerId('global_defs {\ninclude sub/b.conf\nrouter_id x\n}', files)).toBe('x');
});

test('patterns match in order of the names, hidden files not', () => {
  const files = {
    'etc/d/2.conf': 'router_id two',
    'etc/d/1.conf': 'router_id one',
    'etc/d/.3.conf': 'router_id three',
    'etc/d/note.txt': 'nonsense',
    'etc/e/2.conf': 'router_id other',
  };
  expect(routerId('global_defs {\ninclude d/*.conf\n}', files)).toBe('two');
  expect(routerId('global_defs {\ninclude "d/[!2].conf"\n}', files)).toBe('one');
  expect(routerId('global_defs {\ninclude {d,e}/?.conf\n}', files)).toBe('other');
});

test('a diagnostic names the included file', () => {
  const readFiles = filesOf({ 'etc/a.conf': '\nnonsense' });
  const [diagnostic] = parseText('include a.conf', { readFiles, file: 'etc/main.conf' }).diagnostics;
  expect(diagnostic?.origin).toEqual({ file: 'etc/a.conf', line: 2, column: 1, length: 8 });
});

test.each([
  ['include none.conf', ['1:1 warning include-missing']],
  ['include none*.conf', []],
  ['includer none.conf', ['1:1 warning include-missing']],
  ['includem none.conf', ['1:1 error include-missing']],
  ['includem none*.conf', []],
  ['includew none*.conf', ['1:1 error include-missing']],
  ['includeb {a,none}.conf', ['1:1 error include-missing']],
  ['includea none*.conf', ['1:1 error include-missing']],
  ['include closed.conf', ['1:1 warning include-unreadable']],
  ['includer closed.conf', ['1:1 error include-unreadable']],
  ['include', ['1:1 error missing-value']],
  ['include main.conf', ['1:1 error include-cycle']],
  ['global_defs {\ninclude_check\n}\ninclude none*.conf', ['4:1 error include-missing']],
  [
    'global_defs {\ninclude_check match\ninclude_check -match\n}\ninclude none.conf',
    ['3:1 warning duplicate-keyword', '5:1 warning include-missing'],
  ],
])('%j', (text, expected) => {
  const readFiles = filesOf({ 'main.conf': text, 'a.conf': '', 'closed.conf': null });
  expect(said(parseText(text, { readFiles, file: 'main.conf' }))).toEqual(expected);
});

test('neither a condition nor a variable guards an include', () => {
  const readFiles = filesOf({ 'a.conf': 'nonsense' });
  expect(said(parseText('@other global_defs {\ninclude a.conf\n}', { readFiles }))).toEqual([]);
  expect(said(parseText('$F=a.conf\ninclude $F', { readFiles }))).toEqual(['2:1 warning include-missing']);
});

test('a cycle through others and a chain without end are refused', () => {
  const cycle = filesOf({ 'a.conf': 'include b.conf', 'b.conf': 'include a.conf' });
  expect(said(parseText('include a.conf', { readFiles: cycle }))).toEqual(['1:1 error include-cycle']);
  const chain = (pattern: string) => [{ file: `${pattern}x`, text: `include ${pattern}x` }];
  expect(said(parseText('include a', { readFiles: chain }))).toEqual(['1:1 error include-limit']);
  const fan = (pattern: string) => [{ file: pattern, text: `include ${pattern}1\ninclude ${pattern}2` }];
  const codes = parseText('include a', { readFiles: fan }).diagnostics.map(({ code }) => code);
  expect(new Set(codes)).toEqual(new Set(['include-limit']));
});

test('braces multiply out, nested ones too, within a limit', () => {
  expect(expandBraces('a{b,{c,d}}e')).toEqual(['abe', 'ace', 'ade']);
  expect(expandBraces('{a,b}{1,2}')).toEqual(['a1', 'a2', 'b1', 'b2']);
  expect(expandBraces('a{b')).toEqual(['a{b']);
  expect(expandBraces('{a,b}'.repeat(11))).toBeUndefined();
});
