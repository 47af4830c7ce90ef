// The input of `ipvsadm -R`: a command a line, made to one list of changes, so that all of them are made or none. ipvsadm makes
// those that it can and goes on behind the others.

import type { ChangeRequest } from '../runtime/changes.js';
import { changeOf } from './changes.js';
import { parseCommand } from './parse.js';
import { Refusal } from './scan.js';
import { type Names, UnknownHost } from './values.js';

export type RestoreLine = { readonly number: number; readonly change: ChangeRequest };

/** Refused, with the line. */
export class RefusedLine extends Refusal {
  constructor(
    readonly number: number,
    message: string,
    code: Refusal['code'],
  ) {
    super(`line ${number}: ${message}`, code);
  }
}

/** Empty lines and those that begin with # say nothing. Throws RefusedLine, or UnknownHost for a name to look up. */
export function restoreLines(text: string, names: Names): readonly RestoreLine[] {
  const lines: RestoreLine[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t\r]+/).filter((word) => word !== '');
    if (words.length === 0 || words[0]?.startsWith('#')) continue;
    if (words[0] === 'ipvsadm') words.shift();
    const change = changeOfLine(words, index + 1, names);
    lines.push({ number: index + 1, change });
  }
  return lines;
}

function changeOfLine(words: readonly string[], number: number, names: Names): ChangeRequest {
  const parsed = parseCommand(words, names);
  if (parsed.kind === 'unknown-host') throw new UnknownHost(parsed.host);
  if (parsed.kind === 'refused') throw new RefusedLine(number, parsed.message, parsed.code);
  try {
    const change = changeOf(parsed.command);
    if (change !== undefined) return change;
  } catch (error) {
    if (error instanceof Refusal) throw new RefusedLine(number, error.message, error.code);
    throw error;
  }
  throw new RefusedLine(number, `--${parsed.command.kind} changes nothing: it has no place here`, 2);
}
