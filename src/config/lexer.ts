// One line of text to words with their places. `#` and `!` begin a comment outside quotes; `{` and `}` are tokens
// wherever they stand outside quotes, except in `${NAME}`; quoted pieces join what they touch.
// Any text is accepted: what is wrong becomes a diagnostic and a word. Time is linear in the length of the line.

import type { Report } from './report.js';
import type { Place, SourceFile } from './source.js';

export type WordKind = 'plain' | 'quoted' | 'open' | 'close';

/** A word with its quotes and escapes resolved, or a brace. The place is that of the text it was written as. */
export type Word = Place & { readonly kind: WordKind; readonly text: string };

/** Where the stretch [start, end) of the line's text stands in the source: differs after an expansion. */
export type Locate = (start: number, end: number) => { readonly column: number; readonly length: number };

/** The stretch [start, end) of `text`, which is line `line` of `file`. */
export type LexLine = {
  readonly file: SourceFile;
  readonly line: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** undefined: the text is the source line itself. */
  readonly locate: Locate | undefined;
};

const tab = 9;
const carriageReturn = 13;
const space = 32;
const bang = 33;
const doubleQuote = 34;
const hash = 35;
const dollar = 36;
const singleQuote = 39;
const backslash = 92;
const openBrace = 123;
const closeBrace = 125;
const firstNonAscii = 128;

function isBlank(code: number): boolean {
  return code === space || (code >= tab && code <= carriageReturn);
}

/** Appends the words of the line to `words`. */
export function lexLine(line: LexLine, words: Word[], report: Report): void {
  lexFrom(line, line.start, words, report);
}

function lexFrom(line: LexLine, from: number, words: Word[], report: Report): void {
  const { text, end } = line;
  let at = from;
  while (at < end) {
    const code = text.charCodeAt(at);
    if (isBlank(code)) {
      at++;
    } else if (code === hash || code === bang) {
      return;
    } else if (code === openBrace || code === closeBrace) {
      words.push(
        wordAt(line, at, at + 1, code === openBrace ? '{' : '}', code === openBrace ? 'open' : 'close'),
      );
      at++;
    } else {
      at = lexWord(line, at, words, report);
    }
  }
}

/** How many more braces open than close in a text without comments, and whether the first word is a `{`. */
export function braceBalance(text: string): { depth: number; isBlank: boolean; beginsWithBrace: boolean } {
  let depth = 0;
  let quote = 0;
  let first = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (first === 0 && !isBlank(code)) first = code;
    if (quote !== 0) {
      if (code === backslash) at++;
      else if (code === quote) quote = 0;
    } else if (code === doubleQuote || code === singleQuote) {
      quote = code;
    } else if (code === dollar) {
      at = endOfVariable(text, at, text.length) - 1;
    } else if (code === openBrace) {
      depth++;
    } else if (code === closeBrace) {
      depth--;
    }
  }
  return { depth, isBlank: first === 0, beginsWithBrace: first === openBrace };
}

/** The offset at which the line's comment begins, or `end` without one. */
export function commentStart(text: string, start: number, end: number): number {
  let quote = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (quote !== 0) {
      if (code === backslash) at++;
      else if (code === quote) quote = 0;
    } else if (code === doubleQuote || code === singleQuote) {
      quote = code;
    } else if (code === hash || code === bang) {
      return at;
    }
  }
  return end;
}

function wordAt(line: LexLine, start: number, end: number, text: string, kind: WordKind): Word {
  if (line.locate !== undefined) {
    const { column, length } = line.locate(start, end);
    return { kind, text, file: line.file, line: line.line, column, length };
  }
  return {
    kind,
    text,
    file: line.file,
    line: line.line,
    column: start - line.start + 1,
    length: end - start,
  };
}

/** The common word has no quotes, escapes or foreign characters: it is one slice. */
function lexWord(line: LexLine, start: number, words: Word[], report: Report): number {
  const { text, end } = line;
  let at = start;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (isBlank(code) || code === openBrace || code === closeBrace) break;
    if (code === hash || code === bang) break;
    if (code === doubleQuote || code === singleQuote || code === dollar || code >= firstNonAscii) {
      return lexIntricateWord(line, start, words, report);
    }
  }
  words.push(wordAt(line, start, at, text.slice(start, at), 'plain'));
  return at;
}

function lexIntricateWord(line: LexLine, start: number, words: Word[], report: Report): number {
  const { text, end } = line;
  const pieces: string[] = [];
  let isQuoted = false;
  let at = start;
  let pieceStart = start;
  const endPiece = () => {
    if (at > pieceStart) pieces.push(text.slice(pieceStart, at));
  };
  while (at < end) {
    const code = text.charCodeAt(at);
    if (isBlank(code) || code === openBrace || code === closeBrace) break;
    if (code === hash || code === bang) break;
    if (code === doubleQuote || code === singleQuote) {
      endPiece();
      isQuoted = true;
      at = lexQuoted(line, at, pieces, words, report);
      pieceStart = at;
    } else if (code === dollar) {
      at = endOfVariable(text, at, end);
    } else {
      const meant = code >= firstNonAscii && !report.isFull() ? asciiFor(text.charAt(at)) : undefined;
      if (meant !== undefined) {
        // The rest is read as it was meant, so that a line with one mistake has one error.
        const asciiLine = withAscii(line, at, meant, report);
        lexFrom(asciiLine, start - line.start, words, report);
        return end;
      }
      at++;
    }
  }
  endPiece();
  words.push(wordAt(line, start, at, pieces.join(''), isQuoted ? 'quoted' : 'plain'));
  return at;
}

/** Past `${…}` when it closes within this word, past `$` otherwise. */
function endOfVariable(text: string, at: number, end: number): number {
  if (text.charCodeAt(at + 1) !== openBrace) return at + 1;
  for (let i = at + 2; i < end && i < at + longestVariable; i++) {
    const code = text.charCodeAt(i);
    if (code === closeBrace) return i + 1;
    if (code === openBrace || code === doubleQuote || code === singleQuote) break;
  }
  return at + 1;
}

const longestVariable = 256;

/** Appends the inside of the quotes that open at `start`; returns the offset after the closing one. */
function lexQuoted(
  line: LexLine,
  start: number,
  pieces: string[],
  before: readonly Word[],
  report: Report,
): number {
  const { text, end } = line;
  const quote = text.charCodeAt(start);
  let at = start + 1;
  let pieceStart = at;
  while (at < end) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      pieces.push(text.slice(pieceStart, at));
      return at + 1;
    }
    if (code === backslash && at + 1 < end) {
      pieces.push(text.slice(pieceStart, at));
      const sequence = readEscape(text, at + 1, end);
      pieces.push(sequence.text);
      at = sequence.end;
      pieceStart = at;
    } else {
      at++;
    }
  }
  pieces.push(text.slice(pieceStart, end).trimEnd());
  if (hasSlashComment(before)) return end;
  const sign = String.fromCharCode(quote);
  report.add(
    'unclosed-quote',
    wordAt(line, start, end, '', 'quoted'),
    `this ${sign} is never closed: a quoted text ends on its own line`,
    `close it with ${sign}`,
  );
  return end;
}

/** In `// the peer's` the apostrophe is not what is wrong. */
function hasSlashComment(words: readonly Word[]): boolean {
  return words.some((word) => word.kind === 'plain' && word.text.startsWith('//'));
}

const namedEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The character that the escape after a backslash stands for; an unknown one stands for itself. */
function readEscape(text: string, at: number, end: number): { text: string; end: number } {
  const tail = text.slice(at, Math.min(end, at + 8));
  const octal = /^[0-7]{1,3}/.exec(tail)?.[0];
  if (octal !== undefined) return { text: characterOf(octal, 8), end: at + octal.length };
  const hex = /^x([0-9a-fA-F]+)/.exec(tail);
  if (hex?.[1] !== undefined) return { text: characterOf(hex[1], 16), end: at + hex[0].length };
  const letter = tail.charAt(0);
  if (letter === 'c' && tail.length > 1)
    return { text: String.fromCharCode(tail.charCodeAt(1) & 31), end: at + 2 };
  return { text: namedEscapes[letter] ?? letter, end: at + 1 };
}

function characterOf(digits: string, base: number): string {
  return String.fromCharCode(Number.parseInt(digits, base) & 255);
}

/** Reports the pair of quotes at `at`, or the run of foreign characters there; gives the line as it was meant. */
function withAscii(line: LexLine, at: number, meant: string, report: Report): LexLine {
  const text = line.text.slice(line.start, line.end);
  const from = at - line.start;
  let end = from + 1;
  let ascii = '';
  const closing = isQuote(meant) ? closingQuote(text, end, meant) : -1;
  if (closing >= 0) {
    ascii = meant + text.slice(end, closing) + meant;
    end = closing + 1;
  } else {
    // Half a pair would open a quote that nothing closes; what stands for nothing leaves a gap.
    const signOf = (sign: string) => (sign.length > 1 || isQuote(sign) ? ' ' : sign);
    ascii = signOf(meant);
    for (; end < text.length; end++) {
      const next = asciiFor(text.charAt(end));
      if (next === undefined || isQuote(next)) break;
      ascii += signOf(next);
    }
  }
  reportForeign(line, at, line.start + end, meant, report);
  const whole = text.slice(0, from) + ascii + text.slice(end);
  return { ...line, text: whole, start: 0, end: whole.length };
}

function closingQuote(text: string, from: number, meant: string): number {
  for (let at = from; at < text.length; at++) if (asciiFor(text.charAt(at)) === meant) return at;
  return -1;
}

/** Characters that look like ASCII ones and come from web pages and word processors. */
function reportForeign(line: LexLine, start: number, end: number, meant: string, report: Report): void {
  const code = line.text.charCodeAt(start).toString(16).toUpperCase().padStart(4, '0');
  report.add(
    'full-width',
    wordAt(line, start, end, '', 'plain'),
    `the character U+${code} is not the ASCII one it looks like`,
    meant === ';' ? 'remove it: lines end without a sign' : `write ${meant} instead`,
  );
}

function isQuote(sign: string): boolean {
  return sign === '"' || sign === "'";
}

const lookAlikes: Readonly<Record<string, string>> = {
  '\u{a0}': 'a space',
  '\u{200b}': 'nothing',
  '\u{200c}': 'nothing',
  '\u{200d}': 'nothing',
  '\u{2018}': "'",
  '\u{2019}': "'",
  '\u{201c}': '"',
  '\u{201d}': '"',
  '\u{201e}': '"',
  '\u{3000}': 'a space',
  '\u{3001}': ',',
  '\u{3002}': '.',
  '\u{feff}': 'nothing',
};

function asciiFor(character: string): string | undefined {
  const code = character.charCodeAt(0);
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0);
  return lookAlikes[character];
}
