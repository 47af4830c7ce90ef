// The grammar's vocabulary: what a keyword, its arguments and its block look like. The grammar itself is data in
// grammar/; parser.ts walks it, and everything that concerns form is reported from here and there.

import { nearest } from '../model/nearest.js';
import type { Word } from './lexer.js';
import type { Report } from './report.js';
import { boolean, readBoolean, type ValueKind } from './values.js';

/** What uvs does with a keyword: acts on it, will some day, or nothing ever comes of it. */
export type Effect = 'now' | 'later' | 'never';

export type KeywordShape = {
  /** The current name; one shape may be known by several. */
  readonly name: string;
  readonly checkArguments: CheckArguments;
  readonly block: BlockShape | undefined;
  /** False: the keyword may also stand without its block. */
  readonly needsBlock: boolean;
  /** May stand more than once in its block, each time meaning another thing. */
  readonly repeats: boolean;
  readonly effect: Effect;
  /** For `later` and `never`: a remark that completes the message. */
  readonly remark: string | undefined;
  /** For `later`: keywords of one topic are named once, together. */
  readonly topic: string | undefined;
  /** For `later`: a service without it is served in another way than it is written. */
  readonly movesTraffic: boolean;
  /** For `never`: what to do about it, where that is not to remove it. */
  readonly remedy: string | undefined;
  /** On wherever it stands: keepalived reads no word behind it. */
  readonly isAlwaysOn: boolean;
  /** Given twice, the first one counts, as in keepalived; of others the last one does. */
  readonly firstCounts: boolean;
};

export type BlockShape = KeywordBlock | ItemBlock;

export type KeywordBlock = {
  readonly kind: 'keywords';
  readonly keywords: ReadonlyMap<string, KnownKeyword>;
  /** Lone words that are no keyword, as in an old sync group: what to say of them. */
  readonly strayWords: string | undefined;
};

/** A name in a block and the shape it stands for. `misspelt`: in files, but no keepalived takes it. */
export type KnownKeyword = {
  readonly shape: KeywordShape;
  readonly spelling: 'current' | 'old' | 'misspelt';
};

/** A block of lines without keywords: addresses, routes, names. */
export type ItemBlock = {
  readonly kind: 'items';
  readonly checkItem: CheckArguments;
  /** Several items may share a line. */
  readonly isNameList: boolean;
};

/** Reports what is wrong with `words`; `at` is where the keyword stands. */
export type CheckArguments = (words: readonly Word[], at: Word, report: Report) => void;

// Arguments.

export type ArgumentOptions = { readonly [keyword: string]: readonly ValueKind[] };

type ArgumentsShape = {
  readonly required?: readonly ValueKind[];
  readonly optional?: readonly ValueKind[];
  /** Any number of these after the others. */
  readonly rest?: ValueKind;
  /** Keywords that may follow in any order, each with its values. */
  readonly options?: ArgumentOptions;
};

export function argumentsOf(shape: ArgumentsShape): CheckArguments {
  const { required = [], optional = [], rest } = shape;
  const options = new Map(Object.entries(shape.options ?? {}));
  const positional = [...required, ...optional];
  const isClosed = rest === undefined && options.size === 0;
  const check: CheckArguments = (words, at, report) => {
    const slash = words.findIndex(isSlashComment);
    if (slash >= 0) {
      // keepalived stops reading where the setting is complete, and takes `//` for a value where it is not.
      const isComplete = isClosed && slash === positional.length;
      reportSlashComment(words[slash] ?? at, report, isComplete ? 'ignored' : 'read');
      if (isComplete) check(words.slice(0, slash), at, report);
      return;
    }
    if (words.length < required.length) {
      const missing = required[words.length];
      report.add('missing-value', at, `${at.text} needs ${missing?.what ?? 'a value'}`);
      return;
    }
    let i = 0;
    for (; i < words.length; i++) {
      const word = words[i];
      if (word === undefined || (i >= required.length && options.has(word.text))) break;
      const kind = positional[i] ?? rest;
      if (kind === undefined) break;
      checkValue(word, kind, report);
    }
    if (i < words.length) checkOptions(words, i, options, at, report);
  };
  return check;
}

function checkOptions(
  words: readonly Word[],
  from: number,
  options: ReadonlyMap<string, readonly ValueKind[]>,
  at: Word,
  report: Report,
): void {
  for (let i = from; i < words.length; i++) {
    const word = words[i];
    if (word === undefined) return;
    const kinds = options.get(word.text);
    if (kinds === undefined) {
      reportUnexpected(word, options.keys(), at, report);
      return;
    }
    for (const kind of kinds) {
      const value = words[++i];
      if (value === undefined) report.add('missing-value', word, `${word.text} needs ${kind.what}`);
      else checkValue(value, kind, report);
    }
  }
}

/** A word beyond the last value: a misspelt option, or simply too much. */
function reportUnexpected(word: Word, options: Iterable<string>, at: Word, report: Report): void {
  const known = [...options];
  const [, option, value] = /^(\w+)=(\S+)$/.exec(word.text) ?? [];
  if (option !== undefined && known.includes(option)) {
    report.add('no-effect', word, `${word.text} is ignored: it is no option`, `write ${option} ${value}`);
  } else if (known.length > 0) {
    const meant = nearest(word.text, known);
    const help = meant === undefined ? `known here: ${known.join(' ')}` : `did you mean ${meant}?`;
    report.add('invalid-value', word, `${word.text} is no option of ${at.text}`, help);
  } else {
    const message = `${word.text} is ignored: ${at.text} is complete before it`;
    report.add('extra-words', word, message, 'one setting stands on a line');
  }
}

export function checkValue(word: Word, kind: ValueKind, report: Report): void {
  const problem = kind.problemOf(word.text);
  if (problem === undefined) return;
  report.add(problem.code, word, problem.text, problem.help ?? helpFor(word.text, kind));
}

/** Help for the usual slips: a sign at the end, an undefined variable. */
function helpFor(text: string, kind: ValueKind): string | undefined {
  const variable = /\$\{?\w+\}?/.exec(text)?.[0];
  if (variable !== undefined) return `${variable} is not defined above this line`;
  const bare = text.replace(/[;,]+$/, '');
  if (bare !== text && kind.problemOf(bare) === undefined) return `write ${bare}: lines end without a sign`;
  if (text === '=' || text === ':') return 'a keyword and its value are separated by a space alone';
  return undefined;
}

/** A comment of another language: `//`, `/*`, and the lines between that and its end. */
export function isSlashComment(word: Word): boolean {
  return word.kind === 'plain' && /^(?:\/\/|\/\*|\*\/|\*$)/.test(word.text);
}

/** Where a comment of C begins that ends in a later line. */
export function opensComment(words: readonly Word[]): boolean {
  const [first] = words;
  return first?.kind === 'plain' && first.text.startsWith('/*') && !words.some(endsComment);
}

export function endsComment({ text }: Word): boolean {
  return text.endsWith('*/');
}

/**
 * Once a file. `ignored`: it stands behind a complete setting, where nobody reads on; `read`: as a value, in a list, by
 * a brace or on a line of its own it is taken for something else.
 */
export function reportSlashComment(word: Word, report: Report, as: 'ignored' | 'read' = 'read'): void {
  const kind = String(word.file.index);
  if (as === 'read') {
    report.addOnce('slash-comment', kind, word, `${signOf(word)} does not begin a comment`, 'use # or !');
  } else {
    const message = `${signOf(word)} does not begin a comment: here, behind a complete setting, it is ignored`;
    report.addOnce('slash-ignored', kind, word, message, 'use # or !');
  }
}

function signOf({ text }: Word): string {
  return text.slice(0, 2);
}

// Keywords and blocks.

type KeywordOptions = Partial<Omit<KeywordShape, 'name' | 'checkArguments'>>;

/** A shape without its name, which the block it stands in gives it. */
export type NamelessShape = Omit<KeywordShape, 'name'>;

export function keyword(checkArguments: CheckArguments, options: KeywordOptions = {}): NamelessShape {
  return {
    checkArguments,
    block: undefined,
    needsBlock: options.block !== undefined,
    repeats: false,
    effect: 'now',
    remark: undefined,
    topic: undefined,
    remedy: undefined,
    movesTraffic: false,
    isAlwaysOn: false,
    firstCounts: false,
    ...options,
  };
}

/** A keyword that is on wherever it stands. */
export const flag = keyword(
  (words, at, report) => {
    const [word] = words;
    if (word === undefined) return;
    if (isSlashComment(word)) {
      reportSlashComment(word, report, 'ignored');
      return;
    }
    const message = `${word.text} is ignored: ${at.text} is on wherever it stands`;
    const help = readBoolean(word.text) === false ? 'remove the line to switch it off' : undefined;
    report.add('as-keepalived', word, message, help);
  },
  { isAlwaysOn: true },
);

/** A keyword with one value. */
export const one = (kind: ValueKind) => keyword(argumentsOf({ required: [kind] }));
/** A keyword with a value that may be left out. */
export const maybe = (kind: ValueKind) => keyword(argumentsOf({ optional: [kind] }));
/** A keyword that a word may switch off. */
export const choice = maybe(boolean);
/** Of the keywords of mail: examples and packages bring half a dozen of them along, which nobody wrote. */
export const mail = { topic: 'mail' } as const;

/** A keyword with at least one value of the kind. */
export const some = (kind: ValueKind) => keyword(argumentsOf({ required: [kind], rest: kind }));

const noArguments = argumentsOf({});

/** A block without arguments. */
export const blockOf = (block: BlockShape, options: KeywordOptions = {}) =>
  keyword(noArguments, { block, ...options });
/** A block that may be split: the lines of all of them add up. */
export const splitBlock = (block: BlockShape) => blockOf(block, { repeats: true });
/** A block that may stand several times, told apart by its arguments. */
export const blocksOf = (checkArguments: CheckArguments, block: BlockShape, options: KeywordOptions = {}) =>
  keyword(checkArguments, { block, repeats: true, ...options });

export function items(checkItem: CheckArguments): ItemBlock {
  return { kind: 'items', checkItem, isNameList: false };
}

export function names(kind: ValueKind): ItemBlock {
  return { kind: 'items', checkItem: argumentsOf({ required: [kind] }), isNameList: true };
}

export type Shapes = { readonly [keyword: string]: NamelessShape };

export type BlockParts = {
  readonly now?: Shapes;
  readonly later?: Shapes;
  readonly never?: Shapes;
  /** Other names that are as good: name → current name. */
  readonly synonyms?: Readonly<Record<string, string>>;
  readonly oldNames?: Readonly<Record<string, string>>;
  /** Not taken: wrong name → the one that is meant. */
  readonly misspelt?: Readonly<Record<string, string>>;
  readonly strayWords?: string;
};

export function keywords(parts: BlockParts): KeywordBlock {
  const known = new Map<string, KnownKeyword>();
  for (const effect of ['now', 'later', 'never'] as const) {
    for (const [name, shape] of Object.entries(parts[effect] ?? {})) {
      known.set(name, { shape: { ...shape, name, effect }, spelling: 'current' });
    }
  }
  for (const [spelling, aliases] of [
    ['current', parts.synonyms],
    ['old', parts.oldNames],
    ['misspelt', parts.misspelt],
  ] as const) {
    for (const [alias, name] of Object.entries(aliases ?? {})) {
      const current = known.get(name);
      if (current === undefined)
        throw new TypeError(`grammar: ${alias} stands for ${name}, which is not there`);
      known.set(alias, { shape: current.shape, spelling });
    }
  }
  return { kind: 'keywords', keywords: known, strayWords: parts.strayWords };
}

/** One shape under each of the names, which are separated by spaces. */
export function each(shape: NamelessShape, list: string): Shapes {
  return Object.fromEntries(list.split(/\s+/).map((name) => [name, shape]));
}
