// Reads the values of statements whose form is already checked. A value that was refused reads as undefined: the
// error is reported, no configuration will come of the text, and reading goes on for the sake of further errors.

import type { IpAddress } from '../../model/address.js';
import type { Origin } from '../../model/origin.js';
import type { Micros } from '../../model/units.js';
import type { Place } from '../source.js';
import { type Block, isOn, settingOf } from '../tree.js';
import { readAddress, readInteger, readTimer } from '../values.js';

/** Text of the keyword's value number `index`. */
export function textOf(block: Block, keyword: string, index = 0): string | undefined {
  return settingOf(block, keyword)?.arguments[index]?.text;
}

export function integerOf(block: Block, keyword: string): number | undefined {
  const text = textOf(block, keyword);
  return text === undefined ? undefined : readInteger(text);
}

export function timerOf(block: Block, keyword: string): Micros | undefined {
  const text = textOf(block, keyword);
  return text === undefined ? undefined : readTimer(text);
}

export function addressOf(block: Block, keyword: string): IpAddress | undefined {
  const text = textOf(block, keyword);
  return readAddress(text);
}

/** A keyword alone means yes; undefined when it does not stand there. */
export function flagOf(block: Block, keyword: string): boolean | undefined {
  const statement = settingOf(block, keyword);
  return statement === undefined ? undefined : isOn(statement);
}

/** Of two keywords that say the opposite, the later one counts; `KEYWORD no` is the opposite of itself. */
export function choiceOf(block: Block, yes: string, no: string): boolean | undefined {
  const names = block.settings.map(({ shape }) => shape.name);
  const isNoLater = names.lastIndexOf(no) > names.lastIndexOf(yes);
  const flag = flagOf(block, isNoLater ? no : yes);
  return flag === undefined ? undefined : flag !== isNoLater;
}

export function originOf(place: Place): Origin {
  return { file: place.file.name, line: place.line, column: place.column };
}
