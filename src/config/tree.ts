// The block tree: statements with their places, already checked for form. Not yet what they mean.

import type { Word } from './lexer.js';
import type { KeywordShape } from './shapes.js';
import { readBoolean } from './values.js';

export type Statement = {
  /** How many statements stand before it in the whole text, included files in their place. */
  readonly number: number;
  readonly keyword: Word;
  readonly arguments: readonly Word[];
  readonly shape: KeywordShape;
  block: Block | undefined;
};

export type Block = {
  /** The statement of each keyword that counts. A handful: a search through a list costs less than a map for each block. */
  readonly settings: Statement[];
  /** The statements that may stand several times, in order. */
  readonly repeated: Statement[];
  /** The lines of a block without keywords. */
  readonly items: (readonly Word[])[];
};

export function createBlock(): Block {
  return { settings: [], repeated: [], items: [] };
}

/** The statement of the keyword that counts, by its current name. */
export function settingOf(block: Block, name: string): Statement | undefined {
  for (const statement of block.settings) if (statement.shape.name === name) return statement;
  return undefined;
}

/** A keyword alone means yes. */
export function isOn({ shape, arguments: [word] }: Statement): boolean {
  return shape.isAlwaysOn || word === undefined || (readBoolean(word.text) ?? true);
}

/** Takes the place of an earlier one, or leaves it there where the first counts; gives the earlier one. */
export function putSetting(block: Block, statement: Statement): Statement | undefined {
  const at = block.settings.findIndex(({ shape }) => shape.name === statement.shape.name);
  if (at < 0) {
    block.settings.push(statement);
    return undefined;
  }
  return statement.shape.firstCounts ? block.settings[at] : block.settings.splice(at, 1, statement)[0];
}
