// How values are written behind a keyword, both ways: the form that the grammar checks, what the words mean, and the words
// for a value. What a keyword is for is said by its row (row.ts).

import type { IpAddress } from '../model/address.js';
import type { Micros } from '../model/units.js';
import { secondsText, word } from './print-words.js';
import { choice, flag, type NamelessShape, one } from './shapes.js';
import { isOn, type Statement } from './tree.js';
import { address, anyWord, readAddress, readInteger, readTimer, timer, type ValueKind } from './values.js';

export type Notation<V> = {
  readonly shape: NamelessShape;
  /** undefined when the words were refused, which is reported by then. */
  readonly read: (statement: Statement) => V | undefined;
  /** The words behind the keyword, '' where it stands alone; undefined: no words say this value. */
  readonly write: (value: V) => string | undefined;
};

function firstText({ arguments: [first] }: Statement): string {
  return first?.text ?? '';
}

/** A word or a text; quoted where it must be. */
export function text(kind: ValueKind = anyWord): Notation<string> {
  return { shape: one(kind), read: ({ arguments: [first] }) => first?.text, write: word };
}

export function whole(kind: ValueKind): Notation<number> {
  return { shape: one(kind), read: (statement) => readInteger(firstText(statement)), write: String };
}

/** Decimal seconds between `min` and `max` microseconds. */
export function time(min?: number, max?: number): Notation<Micros> {
  return {
    shape: one(timer(min, max)),
    read: (statement) => readTimer(firstText(statement)),
    write: secondsText,
  };
}

export const ip: Notation<IpAddress> = {
  shape: one(address),
  read: (statement) => readAddress(firstText(statement)),
  write: (value) => value,
};

/** On wherever it stands. */
export const on: Notation<boolean> = { shape: flag, read: isOn, write: (value) => (value ? '' : undefined) };

/** On, unless the word behind it says no. */
export const yesOrNo: Notation<boolean> = {
  shape: choice,
  read: isOn,
  write: (value) => (value ? '' : 'no'),
};

/** The keyword says that something is not so. */
export function not({ shape, read, write }: Notation<boolean>): Notation<boolean> {
  return {
    shape,
    read: (statement) => {
      const value = read(statement);
      return value === undefined ? undefined : !value;
    },
    write: (value) => write(!value),
  };
}
