// Splits a command line of ipvsadm into its command, options and rest: short options glued (`-Lnc`, `-w3`, `-Ln -t…`),
// long ones with `=` or without, and the complaints of the library that ipvsadm parses with. Knows no meaning of a value.

import {
  type CommandName,
  type CommandWord,
  commandWords,
  type OptionName,
  type OptionWord,
  optionWords,
} from './words.js';

/** What is wrong, in ipvsadm's words, and what it ends with: 255 says the parsing of options and the kernel, 2 its own checks. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly code: 1 | 2 | 255 = 2,
  ) {
    super(message);
  }
}

export const tryHelp = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.";

export type ScannedOption = {
  readonly word: OptionWord & { readonly long: OptionName };
  readonly value: string | undefined;
};

export type Scanned = {
  readonly command: CommandWord & { readonly long: CommandName };
  readonly options: readonly ScannedOption[];
  /** Words that are no options. */
  readonly rest: readonly string[];
};

type Found = {
  readonly word: string;
  readonly command?: CommandWord & { readonly long: CommandName };
  readonly option?: ScannedOption;
};

/** Throws Refusal. No words at all are a listing, which is the caller's to know. */
export function scan(args: readonly string[]): Scanned {
  const rest: string[] = [];
  const words = found(args, rest);
  const first = begin(words);
  if (first.command === undefined) throw new Refusal(tryHelp, 255);
  // ipvsadm answers both at once, whatever stands behind.
  if (first.command.long === 'help' || first.command.long === 'version')
    return { command: first.command, options: [], rest: [] };
  const options: ScannedOption[] = [];
  for (const { word, option } of words) {
    if (option === undefined) throw new Refusal(`invalid option \`${word}'`);
    options.push(option);
  }
  return { command: first.command, options, rest };
}

function begin(words: Iterator<Found>): Found {
  try {
    const { value, done } = words.next();
    if (done !== true) return value as Found;
  } catch (error) {
    // The first option is unknown, not only wrong.
    if (!(error instanceof Refusal)) throw error;
  }
  throw new Refusal(tryHelp, 255);
}

function* found(args: readonly string[], rest: string[]): Generator<Found, undefined> {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? '';
    if (arg === '--') {
      rest.push(...args.slice(at + 1));
      return;
    }
    if (!arg.startsWith('-') || arg === '-') {
      rest.push(arg);
      continue;
    }
    // Takes the word behind when it is the value of this one.
    const behind = (isOptional: boolean): string | undefined => {
      const next = args[at + 1];
      if (next === undefined || (isOptional && next.startsWith('-'))) return undefined;
      at++;
      return next;
    };
    if (arg.startsWith('--')) yield foundLong(arg, behind);
    else yield* foundShorts(arg, behind);
  }
}

type Behind = (isOptional: boolean) => string | undefined;

function foundLong(arg: string, behind: Behind): Found {
  const equals = arg.indexOf('=');
  const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
  const glued = equals < 0 ? undefined : arg.slice(equals + 1);
  const command = commandWords.find(({ long }) => long === name);
  const word = optionWords.find(({ long }) => long === name);
  if (command === undefined && word === undefined) throw new Refusal(`${arg}: unknown option`, 255);
  if (glued !== undefined && word?.takes === undefined)
    throw new Refusal(`${arg}: option does not take an argument`, 255);
  if (command !== undefined) return { word: arg, command };
  return { word: arg, option: withValue(arg, word, glued, behind) };
}

function* foundShorts(arg: string, behind: Behind): Generator<Found, undefined> {
  for (let at = 1; at < arg.length; at++) {
    const letter = arg.charAt(at);
    const command = commandWords.find(({ shorts }) => shorts.includes(letter));
    const word = optionWords.find(({ short }) => short === letter);
    if (command === undefined && word === undefined) throw new Refusal(`${arg}: unknown option`, 255);
    if (word?.takes === undefined && arg.charAt(at + 1) === '=')
      throw new Refusal(`${arg}: option does not take an argument`, 255);
    if (command !== undefined) {
      yield { word: arg, command };
      continue;
    }
    const glued = word?.takes === undefined ? '' : arg.slice(at + 1);
    const value = glued === '' ? undefined : glued.replace(/^=/, '');
    yield { word: arg, option: withValue(arg, word, value, behind) };
    if (glued !== '') return;
  }
}

function withValue(
  arg: string,
  word: ScannedOption['word'] | undefined,
  glued: string | undefined,
  behind: Behind,
): ScannedOption {
  if (word === undefined) throw new Refusal(`${arg}: unknown option`, 255);
  if (word.takes === undefined) return { word, value: undefined };
  const value = glued ?? behind(word.takes === 'maybe');
  if (value === undefined && word.takes === 'value') throw new Refusal(`${arg}: missing argument`, 255);
  return { word, value };
}
