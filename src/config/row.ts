// A keyword's whole meaning as one row of its block's table: form, place in the model, what stands where it is silent, who
// above may speak then, how it is printed and what keepalived's dumps call it. The key of a row is the field that it fills, so
// that the compiler misses a field without one. Grammar, reading, printing and dumps are derived from here.

import type { Notation } from './notations.js';
import type { Lines } from './print-words.js';
import type { Shapes } from './shapes.js';
import { type Block, settingOf } from './tree.js';

/**
 * One field. `Above` is what the levels above say, and what the value is printed against; `Reading` has more where a value
 * depends on what stands beside it, or mistakes are to be told.
 */
export type Row<V, Item, Above, Reading extends Above = Above> = {
  /** Of most fields one keyword; of some several, or none. */
  readonly shapes: Shapes;
  /** `item` has the fields of the rows before. */
  readonly read: (block: Block, reading: Reading, item: Item) => V;
  readonly print: (value: V, item: Item, above: Above) => Lines;
  /** The keyword of global_defs that speaks where every block is silent. */
  readonly global?: Written<V>;
  readonly dump?: Dump<V, Item>;
};

/** A keyword and what a block says by it; undefined: nothing. */
type Written<V> = { readonly shapes: Shapes; readonly written: (block: Block) => V | undefined };

/** What keepalived's files of state call the field: a line `TITLE = VALUE` in keepalived.data, a key in keepalived.json. */
export type Dump<V, Item = unknown> = {
  /** undefined: no line. */
  readonly data?: readonly [
    title: string,
    textOf: (value: V, item: Item) => string | number | boolean | undefined,
  ];
  readonly json?: readonly [key: string, jsonOf: (value: V) => unknown];
};

/** In the order in which fields are read and printed. */
export type Table<Item, Above, Reading extends Above = Above> = {
  readonly [Field in keyof Item]-?: Row<Item[Field], Item, Above, Reading>;
};

/** A row of one keyword. */
export type Setting<V, Item, Above> = Row<V, Item, Above> & Written<V>;

type Options<V, Item, Above> = {
  /** Whether it is printed; where this is not given, unless it is the usual. */
  readonly isPrinted?: (item: Item, above: Above) => boolean;
  /** The keyword of global_defs, which may be written in another way. */
  readonly global?: readonly [keyword: string, notation: Notation<V>];
  readonly dump?: Dump<V, Item>;
};

/** Words of `notation` behind the keyword; `usual` stands where it is silent. */
export function setting<V, Item, Above>(
  keyword: string,
  notation: Notation<V>,
  usual: (above: Above, item: Item) => V,
  { isPrinted, global, dump }: Options<V, Item, Above> = {},
): Setting<V, Item, Above> {
  const { shapes, written } = writtenAs(keyword, notation);
  return {
    shapes,
    written,
    read: (block, above, item) => written(block) ?? usual(above, item),
    print: (value, item, above) => {
      const isWanted = isPrinted?.(item, above) ?? value !== usual(above, item);
      return isWanted ? lineOf(keyword, notation, value) : [];
    },
    ...(global && { global: writtenAs(...global) }),
    ...(dump && { dump }),
  };
}

/** A setting that stands above, too: where the block is silent, what is inherited counts. */
export function inherited<Item, Field extends keyof Item>(
  field: Field,
  keyword: string,
  notation: Notation<Item[Field]>,
  usual: (item: Item) => Item[Field],
  options: Options<Item[Field], Item, Inheriting<Item>> = {},
): Setting<Item[Field], Item, Inheriting<Item>> {
  return setting(keyword, notation, (above, item) => above.inherited[field] ?? usual(item), options);
}

export type Inheriting<Item> = { readonly inherited: Partial<Item> };

/** A setting of which nobody above speaks. */
export function own<V, Item>(
  keyword: string,
  notation: Notation<V>,
  usual: (item: Item) => V,
  options: Options<V, Item, unknown> = {},
): Setting<V, Item, unknown> {
  return setting<V, Item, unknown>(keyword, notation, (_, item) => usual(item), options);
}

/** A keyword that stands for nothing where it is silent. */
export function optional<V>(
  keyword: string,
  notation: Notation<V>,
): Setting<V | undefined, unknown, unknown> {
  const { shapes, written } = writtenAs(keyword, notation);
  return {
    shapes,
    written,
    read: written,
    print: (value) => (value === undefined ? [] : lineOf(keyword, notation, value)),
  };
}

/** A field that no keyword of this block fills, or that another row's keyword fills as well. */
export function unwritten<V, Item, Above, Reading extends Above>(
  read: Row<V, Item, Above, Reading>['read'],
  more: Pick<Row<V, Item, Above, Reading>, 'global' | 'dump'> = {},
): Row<V, Item, Above, Reading> {
  return { shapes: {}, read, print: () => [], ...more };
}

/** A field with a table of its own, whose keywords stand in the same block. */
export function nested<V>(table: Table<V, unknown>): Row<V, unknown, unknown> {
  return {
    shapes: Object.assign({}, ...rowsOf(table).map(([, { shapes }]) => shapes)),
    read: (block, above) => readRows(table, block, above),
    print: (value, _, above) => printRows(table, value, above),
  };
}

export function writtenAs<V>(keyword: string, notation: Notation<V>): Written<V> {
  return {
    shapes: { [keyword]: notation.shape },
    written: (block) => {
      const statement = settingOf(block, keyword);
      return statement === undefined ? undefined : notation.read(statement);
    },
  };
}

/** Nothing where no words say the value. */
export function lineOf<V>(keyword: string, notation: Notation<V>, value: V): string[] {
  const words = notation.write(value);
  if (words === undefined) return [];
  return [words === '' ? keyword : `${keyword} ${words}`];
}

// What is derived from a table.

export function shapesOf(rows: { readonly [field: string]: { readonly shapes: Shapes } }): Shapes {
  return Object.assign({}, ...Object.values(rows).map(({ shapes }) => shapes));
}

/** What a block says of the things inside it, over what is said around it. */
export function readInherited<Item>(
  rows: { readonly [Field in keyof Item]?: Pick<Written<Item[Field]>, 'written'> },
  block: Block,
  outer: Partial<Item>,
): Partial<Item> {
  const found: Partial<Item> = { ...outer };
  for (const field in rows) {
    const value = rows[field]?.written(block);
    if (value !== undefined) found[field] = value;
  }
  return found;
}

/** The keywords of global_defs. */
export function globalShapesOf(rows: { readonly [field: string]: AnyRow }): Shapes {
  return Object.assign({}, ...Object.values(rows).map(({ global }) => global?.shapes));
}

type AnyRow = { readonly global?: { readonly shapes: Shapes } };

/** What global_defs says. */
export function readGlobals<Item, Above, Reading extends Above>(
  table: Table<Item, Above, Reading>,
  block: Block,
): Partial<Item> {
  const found: Partial<Item> = {};
  for (const [field, { global }] of rowsOf(table)) {
    const value = global?.written(block);
    if (value !== undefined) found[field] = value;
  }
  return found;
}

export function readRows<Item, Above, Reading extends Above>(
  table: Table<Item, Above, Reading>,
  block: Block,
  reading: Reading,
): Item {
  const item = {} as Item;
  for (const [field, row] of rowsOf(table)) item[field] = row.read(block, reading, item);
  return item;
}

export function printRows<Item, Above, Reading extends Above>(
  table: Table<Item, Above, Reading>,
  item: Item,
  above: NoInfer<Above>,
): Lines {
  return rowsOf(table).flatMap(([field, row]) => row.print(item[field], item, above));
}

/** `   TITLE = VALUE` in keepalived.data for each of the fields that has one; without fields: all, in the table's order. */
export function dataLines<Item, Above, Reading extends Above>(
  table: Table<Item, Above, Reading>,
  item: Item,
  ...fields: readonly (keyof Item)[]
): string[] {
  const rows = rowsOf(table);
  const named = fields.flatMap((field) => rows.filter(([name]) => name === field));
  return (fields.length === 0 ? rows : named).flatMap(([field, { dump }]) => {
    if (dump?.data === undefined) return [];
    const [title, textOf] = dump.data;
    const value = textOf(item[field], item);
    return value === undefined ? [] : [`   ${title} = ${value}`];
  });
}

/** The fields of keepalived.json. */
export function jsonFields<Item, Above, Reading extends Above>(
  table: Table<Item, Above, Reading>,
  item: Item,
): Readonly<Record<string, unknown>> {
  const fields = rowsOf(table).flatMap(([field, { dump }]) => {
    if (dump?.json === undefined) return [];
    const [key, jsonOf] = dump.json;
    return [[key, jsonOf(item[field])] as const];
  });
  return Object.fromEntries(fields);
}

/** Tables are walked for each of thousands of blocks: their rows are listed once. */
const listed = new WeakMap<object, unknown>();

function rowsOf<Item, Above, Reading extends Above>(table: Table<Item, Above, Reading>) {
  const known = listed.get(table) ?? Object.entries(table);
  listed.set(table, known);
  return known as readonly (readonly [keyof Item, Row<Item[keyof Item], Item, Above, Reading>])[];
}
