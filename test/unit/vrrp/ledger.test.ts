// The RFC ledgers name files of this repository; they exist, and every requirement says where or why not.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const ledgers = readdirSync(`${root}docs/rfc`).filter((name) => /^rfc(3768|5798|9568)\.md$/.test(name));

test.each(ledgers)('%s', (name) => {
  const text = readFileSync(`${root}docs/rfc/${name}`, 'utf8');
  const paths = [...text.matchAll(/`((?:src|test)\/[\w/.-]+)`/g)].map(([, path = '']) => path);
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
  const rows = text.split('\n').filter((line) => /^\| \d/.test(line));
  expect(rows.filter((row) => row.split('|')[4]?.trim() === '')).toEqual([]);
});

test('all three are there', () => {
  expect(ledgers).toHaveLength(3);
});
