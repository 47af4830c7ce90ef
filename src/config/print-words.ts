// Words and lines of a printed configuration: what both halves of print.ts are made of.

import type { Micros } from '../model/units.js';

/** Lines of text, nested ones with their block's name on top. */
export type Lines = readonly (string | readonly [string, Lines])[];

/** `KEYWORD VALUE`, or nothing. */
export function setting(keyword: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [`${keyword} ${value}`];
}

/** `KEYWORD` alone, or nothing. */
export function flag(keyword: string, isOn: boolean): string[] {
  return isOn ? [keyword] : [];
}

/** undefined when the value is the usual one. */
export function unless<T>(value: T, usual: T): T | undefined {
  return value === usual ? undefined : value;
}

/** Seconds, or undefined when they are the usual ones. */
export function secondsUnless(value: Micros, usual: number): string | undefined {
  return value === usual ? undefined : secondsText(value);
}

/** Seconds with up to six decimals. */
export function secondsText(value: Micros): string {
  const whole = Math.floor(value / 1_000_000);
  const rest = String(value % 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return rest === '' ? String(whole) : `${whole}.${rest}`;
}

/** The word as it must be written: quoted when it holds more than plain signs. */
export function word<T extends string | undefined>(text: T): string | T {
  if (text === undefined || /^[\w.:/@+-]+$/.test(text)) return text;
  return `"${Array.from(text, escaped).join('')}"`;
}

function escaped(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  const code = character.charCodeAt(0);
  // `$` would begin a variable, even between quotes.
  return code < 0x20 || character === '$' ? `\\${code.toString(8).padStart(3, '0')}` : character;
}
