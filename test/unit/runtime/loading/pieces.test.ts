// A value in pieces is the value again, whatever its shape, and no piece is large.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cut, join } from '../../../../src/runtime/loading/pieces.js';

const joined = (value: unknown) => {
  const { head, pieces } = cut(value);
  for (const piece of pieces) join(head, structuredClone(piece));
  return head;
};
const partsOf = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce<number>((sum, entry) => sum + partsOf(entry), 1)
    : 1;

test('any value', () => {
  const numbers = fc.integer({ min: 0, max: 5_000 }).map((length) => Array.from({ length }, (_, i) => i));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.string(), numbers, tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 6 }),
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')),
  }));
  fc.assert(
    fc.property(value, (sample) => {
      expect(joined(sample)).toEqual(sample);
    }),
    { numRuns: 200 },
  );
});

test('long lists of things with long lists: no piece is large', () => {
  const servers = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ address: `10.0.0.${i}`, port: i }));
  const value = {
    services: Array.from({ length: 300 }, (_, i) => ({ port: i, servers: servers(i === 7 ? 10_000 : 40) })),
    none: undefined,
  };
  const { head, pieces } = cut(value);
  const sizes = [head, ...Array.from(pieces, ({ items }) => items)].map(partsOf);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2_001);
  expect(sizes.length).toBeGreaterThan(30);
  expect(joined(value)).toStrictEqual(value);
});
