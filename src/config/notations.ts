// How values are written behind a keyword, both ways: the form that the grammar checks, what the words mean, and the words
// for a value. What a keyword is for is said by its row (row.ts).

import type { IpAddress } from '../model/address.js';
import type { ScriptCommand } from '../model/failover-config.js';
import type { Micros } from '../model/units.js';
import type { Account } from '../model/virtual-router.js';
import { commandText, splitCommand } from './command-line.js';
import type { Word } from './lexer.js';
import { secondsText, word } from './print-words.js';
import { argumentsOf, choice, flag, keyword, type NamelessShape, one } from './shapes.js';
import { isOn, type Statement } from './tree.js';
import {
  account,
  address,
  anyWord,
  atLeastOne,
  command,
  integer,
  readAddress,
  readInteger,
  readTimer,
  timer,
  type ValueKind,
} from './values.js';

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

/** At least 1: 0 is taken for it, as in keepalived. */
export function positive(max: number): Notation<number> {
  return {
    shape: one(atLeastOne(integer(1, max))),
    read: (statement) => Math.max(1, readInteger(firstText(statement)) ?? 1),
    write: String,
  };
}

/** From 0 on. */
export function upTo(max: number): Notation<number> {
  return whole(integer(0, max));
}

/** Decimal seconds between `min` and `max` microseconds. */
export function time(min?: number, max?: number): Notation<Micros> {
  return {
    shape: one(timer(min, max)),
    read: (statement) => readTimer(firstText(statement)),
    write: secondsText,
  };
}

/** Each value has a word; another word that the form lets through stands for nothing. */
export function oneWord<const V>(kind: ValueKind, values: Readonly<Record<string, V>>): Notation<V> {
  const words = new Map(Object.entries(values).map(([name, value]) => [value, name]));
  return {
    shape: one(kind),
    read: (statement) => values[firstText(statement)],
    write: (value) => words.get(value),
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
export function not(notation: Notation<boolean>): Notation<boolean> {
  return either(notation, false, true);
}

/** `yes` where the keyword is on, `no` where it is off. */
export function either<const V>(notation: Notation<boolean>, yes: V, no: V): Notation<V> {
  return {
    shape: notation.shape,
    read: (statement) => {
      const value = notation.read(statement);
      return value === undefined ? undefined : value ? yes : no;
    },
    write: (value) => notation.write(value === yes),
  };
}

/** Where it is given twice, the first one counts. */
export function first<V>(notation: Notation<V>): Notation<V> {
  return { ...notation, shape: { ...notation.shape, firstCounts: true } };
}

/** `COMMAND [USER [GROUP]]`: a program with its arguments, and whom it runs as. */
export const script: Notation<ScriptCommand> = {
  shape: keyword(argumentsOf({ required: [command], optional: [account, account] }), { firstCounts: true }),
  read: ({ arguments: [words, user, group] }) =>
    words === undefined ? undefined : { words: splitCommand(words.text), account: readAccount(user, group) },
  write: ({ words, account: runsAs }) =>
    [word(commandText(words)), accountText(runsAs)].filter((part) => part !== undefined).join(' '),
};

/** `USER [GROUP]`. */
export const userAndGroup: Notation<Account | undefined> = {
  shape: keyword(argumentsOf({ required: [account], optional: [account] })),
  read: ({ arguments: [user, group] }) => readAccount(user, group),
  write: accountText,
};

export function readAccount(user: Word | undefined, group: Word | undefined): Account | undefined {
  return user === undefined ? undefined : { user: user.text, group: group?.text };
}

export function accountText(runsAs: Account | undefined): string | undefined {
  if (runsAs === undefined) return undefined;
  return [word(runsAs.user), word(runsAs.group)].filter((part) => part !== undefined).join(' ');
}
