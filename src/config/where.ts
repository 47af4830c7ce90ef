// Where a keyword belongs that stands in the wrong block. Only asked when something is wrong.

import type { KeywordBlock } from './shapes.js';

/** `connect_port stands inside TCP_CHECK { } …`, or undefined when no block of the grammar knows the keyword. */
export function describePlaces(root: KeywordBlock, here: KeywordBlock, keyword: string): string | undefined {
  const below = blocksWith(here, keyword);
  const all = below.length > 0 ? below : blocksWith(root, keyword);
  if (root.keywords.has(keyword)) return `${keyword} stands outside all blocks; is a } missing before it?`;
  const [first] = all;
  if (first === undefined) return undefined;
  const others =
    all.length > 1 ? ` or another block (${all.slice(1, 4).join(', ')}${all.length > 4 ? ', …' : ''})` : '';
  return `${keyword} stands inside ${first} { }${others}`;
}

/** Names of the blocks below `block` that know the keyword, the outer ones first. */
function blocksWith(block: KeywordBlock, keyword: string): string[] {
  const found = new Set<string>();
  let level: (readonly [string, KeywordBlock])[] = childrenOf(block);
  while (level.length > 0) {
    for (const [name, child] of level) if (child.keywords.has(keyword)) found.add(name);
    level = level.flatMap(([, child]) => childrenOf(child));
  }
  return [...found];
}

function childrenOf(block: KeywordBlock): (readonly [string, KeywordBlock])[] {
  return [...block.keywords.values()].flatMap(({ shape }) =>
    shape.block?.kind === 'keywords' ? [[shape.name, shape.block] as const] : [],
  );
}
