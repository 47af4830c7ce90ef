// A keyword's whole meaning as one row of its block's table: form, place in the model, what stands where it is silent, and
// how it is printed. The key of a row is the field that it fills, so that the compiler misses a field without one.
// Grammar, reading and printing of a block are derived from here.

import type { Notation } from './notations.js';
import type { Lines } from './print-words.js';
import type { Shapes } from './shapes.js';
import { type Block, settingOf } from './tree.js';

/** One field. `Around` is what the block finds around it: what the levels above say, and whom to tell of mistakes. */
export type Row<V, Item, Around> = {
  /** Of most fields one keyword; some are spoken of by several. */
  readonly shapes: Shapes;
  /** `item` has the fields of the rows before. */
  readonly read: (block: Block, around: Around, item: Item) => V;
  readonly print: (value: V, item: Item, around: Around) => Lines;
};

/** In the order in which fields are read and printed. */
export type Table<Item, Around> = { readonly [Field in keyof Item]-?: Row<Item[Field], Item, Around> };

/** A row of one keyword. */
export type Setting<V, Item, Around> = Row<V, Item, Around> & {
  /** What the block itself says; undefined: nothing. */
  readonly written: (block: Block) => V | undefined;
};

type SettingOptions<Item, Around> = {
  /** Whether it is printed; where this is not given, unless it is the usual. */
  readonly isPrinted?: (item: Item, around: Around) => boolean;
};

/** Words of `notation` behind the keyword; `usual` stands where it is silent. */
export function setting<V, Item, Around>(
  keyword: string,
  notation: Notation<V>,
  usual: (around: Around, item: Item) => V,
  { isPrinted }: SettingOptions<Item, Around> = {},
): Setting<V, Item, Around> {
  const written = (block: Block) => writtenIn(block, keyword, notation);
  return {
    shapes: { [keyword]: notation.shape },
    written,
    read: (block, around, item) => written(block) ?? usual(around, item),
    print: (value, item, around) => {
      const isWanted = isPrinted?.(item, around) ?? value !== usual(around, item);
      return isWanted ? lineOf(keyword, notation, value) : [];
    },
  };
}

/** A keyword that stands for nothing where it is silent. */
export function optional<V>(
  keyword: string,
  notation: Notation<V>,
): Setting<V | undefined, unknown, unknown> {
  const written = (block: Block) => writtenIn(block, keyword, notation);
  return {
    shapes: { [keyword]: notation.shape },
    written,
    read: written,
    print: (value) => (value === undefined ? [] : lineOf(keyword, notation, value)),
  };
}

function writtenIn<V>(block: Block, keyword: string, notation: Notation<V>): V | undefined {
  const statement = settingOf(block, keyword);
  return statement === undefined ? undefined : notation.read(statement);
}

/** Nothing where no words say the value. */
export function lineOf<V>(keyword: string, notation: Notation<V>, value: V): string[] {
  const words = notation.write(value);
  if (words === undefined) return [];
  return [words === '' ? keyword : `${keyword} ${words}`];
}

export function shapesOf(rows: {
  readonly [field: string]: Pick<Row<never, never, never>, 'shapes'>;
}): Shapes {
  return Object.assign({}, ...Object.values(rows).map(({ shapes }) => shapes));
}

export function readRows<Item, Around>(table: Table<Item, Around>, block: Block, around: Around): Item {
  const item = {} as Item;
  for (const [field, row] of rowsOf(table)) item[field] = row.read(block, around, item);
  return item;
}

export function printRows<Item, Around>(table: Table<Item, Around>, item: Item, around: Around): Lines {
  return rowsOf(table).flatMap(([field, row]) => row.print(item[field], item, around));
}

function rowsOf<Item, Around>(table: Table<Item, Around>) {
  return Object.entries(table) as unknown as (readonly [keyof Item, Row<Item[keyof Item], Item, Around>])[];
}
