// What the demo shows and how: headings, steps with their times, command output, bars. Colours only on a terminal.
// Keeps the list of what went wrong, which decides the exit code.

import { stdout } from 'node:process';

const isTerminal = stdout.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text);
const bold = paint(1);
const dim = paint(2);
const red = paint(31);
const green = paint(32);
const cyan = paint(36);

/** Sentences of everything that was not as expected. */
export const failures: string[] = [];

let isMute = false;

/** The last words: nothing is shown after them. */
export function sayLast(text: string): void {
  say(text);
  isMute = true;
}

export function say(text = ''): void {
  if (!isMute) stdout.write(`${text}\n`);
}

export function heading(text: string): void {
  say(`\n${bold(text)}\n`);
}

/** Several lines, indented. */
export function drawing(text: string): void {
  for (const line of text.replace(/^\n|\n\s*$/g, '').split('\n')) say(`   ${cyan(line)}`);
  say();
}

/** A command as its user would type it, with what it printed. */
export function command(line: string, output: string): void {
  say(`   ${bold(`$ ${line}`)}`);
  for (const text of output.trimEnd().split('\n')) say(`   ${dim(text)}`);
}

/** Says what is being done, does it, and says how long it took. */
export async function step<T>(text: string, action: () => Promise<T>): Promise<T> {
  if (isTerminal && !isMute) stdout.write(`   … ${text}`);
  const startedAt = performance.now();
  try {
    const value = await action();
    line(green('✓'), text, `${seconds(startedAt)} s`);
    return value;
  } catch (error) {
    line(red('✗'), text, `${seconds(startedAt)} s`);
    throw error;
  }
}

/** A statement that must be true; when it is not the demo goes on and ends with exit code 1. */
export function check(isTrue: boolean, text: string): void {
  line(isTrue ? green('✓') : red('✗'), text);
  if (!isTrue) failures.push(text);
}

function line(mark: string, text: string, note = ''): void {
  const clear = isTerminal ? '\r\x1b[K' : '';
  say(`${clear}   ${mark} ${note === '' ? text : `${text.padEnd(66)} ${dim(note.padStart(6))}`}`);
}

/** Numbers as bars, in the order of their names. */
export function bars(counts: ReadonlyMap<string, number>, width = 40): void {
  const most = Math.max(1, ...counts.values());
  const nameWidth = Math.max(10, ...[...counts.keys()].map(({ length }) => length));
  for (const [name, count] of [...counts].sort()) {
    const bar = '█'.repeat(Math.round((count / most) * width));
    say(`     ${name.padEnd(nameWidth)} ${cyan(bar.padEnd(width))} ${String(count).padStart(5)}`);
  }
}

export function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
