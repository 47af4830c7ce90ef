// The checkers of the registry by their names, and their types.

import type { Shapes } from '../shapes.js';
import type { CheckerDefinition } from './checker.js';
import { checkers } from './registry.js';

type Checker = (typeof checkers)[number];
export type CheckerKind = Checker['kind'];
/** What a checker of the kind asks and when, as its probe gets it. */
export type PolicyOf<Kind extends CheckerKind> = ReturnType<Extract<Checker, { kind: Kind }>['read']>;

const all: readonly CheckerDefinition[] = checkers;
const byKeyword = new Map(all.map((checker) => [checker.keyword, checker]));
const byKind = new Map(all.map((checker) => [checker.kind, checker]));

/** `TCP_CHECK`. */
export function checkerOf(keyword: string): CheckerDefinition | undefined {
  return byKeyword.get(keyword);
}

/** `tcp`. */
export function checkerOfKind(kind: string): CheckerDefinition | undefined {
  return byKind.get(kind);
}

/** The form of all of them, for the grammar. */
export const checkerShapes: Shapes = Object.fromEntries(all.map(({ keyword, shape }) => [keyword, shape]));
