// One line to words: quotes, escapes, comments, braces, foreign characters, and where each word stands.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language under test writes variables like this.
import { expect, test } from 'vitest';
import { lexLine, type Word } from '../../../src/config/lexer.js';
import { createReport } from '../../../src/config/report.js';

function lex(text: string): { words: Word[]; codes: string[] } {
  const words: Word[] = [];
  const report = createReport();
  const file = { name: 'a.conf', text, index: 0 };
  lexLine({ file, line: 1, text, start: 0, end: text.length, locate: undefined }, words, report);
  return { words, codes: report.finish().map(({ code }) => code) };
}

const texts = (text: string) => lex(text).words.map((word) => word.text);

test.each([
  ['a  b\tc', ['a', 'b', 'c']],
  ['a b # c', ['a', 'b']],
  ['a b ! c', ['a', 'b']],
  ['a#b', ['a']],
  ['# all of it', []],
  ['a "b c" d', ['a', 'b c', 'd']],
  ["a 'b c'", ['a', 'b c']],
  ['"a # b" c', ['a # b', 'c']],
  ['abcd" efg h jkl "mnop', ['abcd efg h jkl mnop']],
  ['"a"\'b\'c', ['abc']],
  ['""', ['']],
  ['real_server A 80{', ['real_server', 'A', '80', '{']],
  ['a { b 1 }', ['a', '{', 'b', '1', '}']],
  ['{}}{', ['{', '}', '}', '{']],
  ['"{" a', ['{', 'a']],
  ['a ${B} c', ['a', '${B}', 'c']],
  ['a$ b', ['a$', 'b']],
  ['a ${B', ['a', '$', '{', 'B']],
  ['a b\r', ['a', 'b']],
  ['a\\b', ['a\\b']],
])('%s', (text, words) => {
  expect(texts(text)).toEqual(words);
  expect(lex(text).codes).toEqual([]);
});

test.each([
  ['"\\"a\\\\"', '"a\\'],
  ['"\\n\\t\\E"', '\n\t\x1b'],
  ['"\\101\\x42"', 'AB'],
  ['"\\cA"', '\x01'],
  ['"\\."', '.'],
])('escapes in %s', (text, word) => {
  expect(texts(text)).toEqual([word]);
});

test('a word knows its place, quotes included', () => {
  const [first, second, brace] = lex('\ta "b c"{').words;
  expect(first).toMatchObject({ column: 2, length: 1, kind: 'plain' });
  expect(second).toMatchObject({ column: 4, length: 5, kind: 'quoted' });
  expect(brace).toMatchObject({ column: 9, length: 1, kind: 'open' });
});

test('a quote that is not closed is reported and taken to the end of the line', () => {
  expect(texts('a "b c')).toEqual(['a', 'b c']);
  expect(lex('a "b c').codes).toEqual(['unclosed-quote']);
});

test('an apostrophe in a // comment is not a second mistake', () => {
  expect(lex("a 1 //the peer's").codes).toEqual([]);
});

test.each(['a；', 'a\u{a0}b', '“a”', '\u{3000}', 'ａ１'])('foreign characters in %s: once a word', (text) => {
  expect(lex(text).codes).toEqual(['full-width']);
});

test('letters of other scripts and anything in quotes are fine', () => {
  expect(lex('router_id 東京 "a；b"').codes).toEqual([]);
});
