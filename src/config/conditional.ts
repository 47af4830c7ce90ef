// `@id rest` keeps the rest of the line when the config-id is `id`; `@^id rest` when it is another.
// A condition on a line that opens a block holds for the whole block: lines are dropped until its braces are even.

import { braceBalance } from './lexer.js';
import { type Line, lineFrom } from './line.js';

/** What a false condition still has to drop. */
export type Skip =
  | { readonly kind: 'none' }
  /** The dropped line may have its `{` on the next one. */
  | { readonly kind: 'awaiting-brace' }
  | { readonly kind: 'block'; readonly depth: number };

const condition = /^\s*@(\^?)([^\s{}]*)/;

/** The line without its condition, or undefined when the condition is false; the line itself without one. */
export function applyCondition(line: Line, configId: string): { kept: Line | undefined; rest: Line } {
  const match = condition.exec(line.text);
  if (match === null) return { kept: line, rest: line };
  const rest = lineFrom(line, match[0].length);
  const isTrue = (match[2] === configId) !== (match[1] === '^');
  return { kept: isTrue ? rest : undefined, rest };
}

/** What is left to drop after the line with the false condition. */
export function skipAfter(rest: Line): Skip {
  const { depth } = braceBalance(rest.text);
  if (depth > 0) return { kind: 'block', depth };
  return rest.text.includes('{') ? { kind: 'none' } : { kind: 'awaiting-brace' };
}

/** Drops one more line. `isDropped` is false when the line is beyond what the condition holds for. */
export function skipLine(skip: Skip, text: string): { skip: Skip; isDropped: boolean } {
  if (skip.kind === 'none') return { skip, isDropped: false };
  const { depth, isBlank, beginsWithBrace } = braceBalance(text);
  if (skip.kind === 'block') return { skip: remaining(skip.depth + depth), isDropped: true };
  if (isBlank) return { skip, isDropped: true };
  if (!beginsWithBrace) return { skip: { kind: 'none' }, isDropped: false };
  return { skip: remaining(depth), isDropped: true };
}

function remaining(depth: number): Skip {
  return depth > 0 ? { kind: 'block', depth } : { kind: 'none' };
}
