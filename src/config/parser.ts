// Lines of words to the block tree, led by the grammar: an unknown keyword or a misplaced brace is reported where
// it stands, and parsing goes on behind it. No recursion: the depth of the text cannot exhaust the stack.

import { nearest } from '../model/nearest.js';
import type { Word } from './lexer.js';
import type { Report } from './report.js';
import {
  type BlockShape,
  endsComment,
  isSlashComment,
  type KeywordBlock,
  type KeywordShape,
  type KnownKeyword,
  opensComment,
  reportSlashComment,
} from './shapes.js';
import { type Block, createBlock, putSetting, type Statement } from './tree.js';
import { describePlaces } from './where.js';

/** A block whose `}` is still to come. */
type OpenBlock = {
  readonly shape: BlockShape;
  readonly block: Block;
  /** undefined: the text outside all blocks. */
  readonly statement: Statement | undefined;
  /** False inside what is not in effect, so that this is said once. */
  readonly isEffective: boolean;
};

export type Parser = {
  readonly report: Report;
  readonly root: KeywordBlock;
  readonly open: OpenBlock[];
  statementCount: number;
  /** The last statement, while a `{` may still follow. */
  pending: Statement | undefined;
  /** The last statement was unknown and said to be so: a block of it is passed over. */
  isAfterUnknown: boolean;
  /** Inside a block that nobody knows: how deep, and where it began. */
  skipping: { depth: number; readonly from: Word } | undefined;
  /** Between the lines of a comment of C, which is said to be none: whatever stands there was not meant. */
  isInComment: boolean;
  /** Behind the first sign of one, whose braces mean something else. */
  isInTemplate: boolean;
  /** Where the last block ended that stood outside all others. */
  lastClosed: { readonly statement: Statement; readonly brace: Word } | undefined;
};

export function createParser(report: Report, root: KeywordBlock): Parser {
  const outside = { shape: root, block: createBlock(), statement: undefined, isEffective: true };
  const state = { pending: undefined, isAfterUnknown: false, skipping: undefined, lastClosed: undefined };
  return {
    report,
    root,
    open: [outside],
    statementCount: 0,
    isInComment: false,
    isInTemplate: false,
    ...state,
  };
}

/** The words of one line; a statement ends with its line or at a brace. */
export function parseLine(parser: Parser, words: readonly Word[]): void {
  if (parser.isInTemplate) return;
  const mark = templateMark(words);
  if (mark !== undefined) {
    const message = 'this is a template that was not filled in: nothing from here on is read';
    parser.report.add('template', mark, message, 'name the file that Ansible, Jinja or Helm makes of it');
    Object.assign(parser, { isInTemplate: true, pending: undefined, skipping: undefined });
    parser.open.length = 1;
    return;
  }
  if (parser.isInComment) {
    parser.isInComment = !words.some(endsComment);
    return;
  }
  const [start] = words;
  if (start !== undefined && opensComment(words)) {
    reportSlashComment(start, parser.report);
    parser.isInComment = true;
    return;
  }
  let from = 0;
  while (from < words.length) {
    const first = words[from];
    if (first === undefined) return;
    if (first.kind === 'open' || first.kind === 'close') {
      if (first.kind === 'open') openBrace(parser, first);
      else closeBrace(parser, first);
      from++;
      continue;
    }
    let to = from + 1;
    while (to < words.length && words[to]?.kind !== 'open' && words[to]?.kind !== 'close') to++;
    if (parser.skipping === undefined) {
      takeStatement(parser, words, from, to);
    }
    from = to;
  }
}

/** The first `{` of `{{` or `{%`. */
function templateMark(words: readonly Word[]): Word | undefined {
  return words.find((word, i) => {
    const next = words[i + 1];
    if (word.kind !== 'open' || next?.line !== word.line || next.column !== word.column + 1) return false;
    return next.kind === 'open' || next.text.startsWith('%');
  });
}

/** The tree, after the last line. */
export function finishParsing(parser: Parser): Block {
  settlePending(parser);
  const { open, report, skipping } = parser;
  if (skipping !== undefined) {
    report.add('unclosed-block', skipping.from, 'this block is never closed', 'a } is missing');
  }
  for (const { statement } of open.slice(1)) {
    if (statement === undefined) continue;
    const { keyword } = statement;
    report.add('unclosed-block', keyword, `${keyword.text} is never closed`, 'a } is missing at its end');
  }
  return outermost(parser).block;
}

function outermost(parser: Parser): OpenBlock {
  const first = parser.open[0];
  if (first === undefined) throw new TypeError('the outermost block is never closed');
  return first;
}

function innermost(parser: Parser): OpenBlock {
  return parser.open.at(-1) ?? outermost(parser);
}

// Braces.

function openBrace(parser: Parser, brace: Word): void {
  const { pending, skipping } = parser;
  if (skipping !== undefined) {
    skipping.depth++;
    return;
  }
  parser.pending = undefined;
  if (pending?.shape.block === undefined) {
    const message =
      pending === undefined ? 'no keyword stands before this {' : `${pending.keyword.text} takes no block`;
    if (!parser.isAfterUnknown) parser.report.add('unexpected-brace', brace, message);
    parser.skipping = { depth: 1, from: brace };
    return;
  }
  enter(parser, pending, pending.shape.block);
}

function enter(parser: Parser, statement: Statement, shape: BlockShape): void {
  if (statement.shape.needsBlock) checkStatement(parser, statement);
  statement.block = createBlock();
  const isEffective = innermost(parser).isEffective && statement.shape.effect === 'now';
  parser.open.push({ shape, block: statement.block, statement, isEffective });
}

function closeBrace(parser: Parser, brace: Word): void {
  const { skipping, lastClosed } = parser;
  if (skipping !== undefined) {
    if (--skipping.depth === 0) parser.skipping = undefined;
    return;
  }
  settlePending(parser);
  const closed = parser.open.length > 1 ? parser.open.pop() : undefined;
  if (closed?.statement !== undefined) {
    if (parser.open.length === 1) parser.lastClosed = { statement: closed.statement, brace };
    return;
  }
  const help =
    lastClosed === undefined
      ? 'remove it'
      : `${lastClosed.statement.keyword.text} of line ${lastClosed.statement.keyword.line} ended in line ${lastClosed.brace.line}`;
  parser.report.add('unmatched-brace', brace, 'this } closes nothing', help);
}

/** The last statement gets no block any more. One that needs a block is as if it were not there, so that one error names it. */
function settlePending(parser: Parser): void {
  const { pending } = parser;
  parser.pending = undefined;
  if (!pending?.shape.needsBlock) return;
  const { keyword, shape, arguments: words } = pending;
  const { settings, repeated } = innermost(parser).block;
  const list = shape.repeats ? repeated : settings;
  if (list.at(-1) === pending) list.pop();
  const inside = shape.block?.kind === 'items' ? words.map(({ text }) => text).join(' ') : '';
  const help = `write ${keyword.text} ${inside === '' ? '… { … }' : `{ ${inside} }`}`;
  parser.report.add('missing-block', keyword, `${keyword.text} needs a block`, help);
}

/**
 * A block whose `{` was forgotten: what follows means nothing here, and something in there. It is named, and read as the block
 * that was meant.
 */
function enterForgotten(parser: Parser, next: Word): void {
  const { pending } = parser;
  const block = pending?.shape.needsBlock ? pending.shape.block : undefined;
  const { shape: around } = innermost(parser);
  if (pending === undefined || block === undefined || around.kind !== 'keywords') return;
  if (pending.keyword.line === next.line || around.keywords.has(next.text)) return;
  const isMeant = block.kind === 'keywords' ? block.keywords.has(next.text) : !/^[a-z_]+$/.test(next.text);
  if (!isMeant) return;
  const { keyword } = pending;
  parser.pending = undefined;
  parser.report.add(
    'missing-block',
    keyword,
    `${keyword.text} needs a block`,
    'a { is missing at the end of its line',
  );
  enter(parser, pending, block);
}

// Statements.

/** The words from `from` up to `to`, where the line ends or a brace stands. */
function takeStatement(parser: Parser, line: readonly Word[], from: number, to: number): void {
  const first = line[from];
  if (first === undefined) return;
  enterForgotten(parser, first);
  settlePending(parser);
  parser.isAfterUnknown = false;
  const { shape, block } = innermost(parser);
  if (shape.kind === 'keywords') {
    const known = first.kind === 'plain' ? shape.keywords.get(first.text) : undefined;
    if (known !== undefined)
      addStatement(parser, block, known, first, argumentsIn(line, from + 1, to, parser.report));
    else takeUnknown(parser, shape, line, from, to);
  } else if (line[to]?.kind === 'open' || (!shape.isNameList && belongsOutside(parser, first))) {
    takeUnknown(parser, shape, line, from, to);
  } else {
    takeItems(parser, block, shape, line.slice(from, to));
  }
}

/** The words from `from` up to `to`. `// …` between a keyword and a brace keeps keepalived from seeing the brace. */
function argumentsIn(line: readonly Word[], from: number, to: number, report: Report): readonly Word[] {
  const words = line.slice(from, to);
  const slash = line[to] === undefined ? undefined : words.find(isSlashComment);
  if (slash === undefined) return words;
  reportSlashComment(slash, report);
  return words.slice(0, words.indexOf(slash));
}

/** `priority 100` among addresses: a keyword of the block around, so the addresses were never closed. */
function belongsOutside(parser: Parser, word: Word): boolean {
  return /^[a-z_]+$/.test(word.text) && enclosingWith(parser, word.text) !== undefined;
}

function takeItems(
  parser: Parser,
  block: Block,
  shape: Extract<BlockShape, { kind: 'items' }>,
  words: readonly Word[],
): void {
  const groups = shape.isNameList ? words.map((word) => [word]) : [words];
  for (const item of groups) {
    const head = item[0];
    if (head === undefined) continue;
    block.items.push(item);
    if (isSlashComment(head)) {
      reportSlashComment(head, parser.report);
      return;
    }
    shape.checkItem(item, head, parser.report);
  }
}

function addStatement(
  parser: Parser,
  block: Block,
  known: KnownKeyword,
  keyword: Word,
  values: readonly Word[],
): void {
  const { report } = parser;
  const { shape } = known;
  const number = parser.statementCount++;
  const statement = { number, keyword, arguments: values, shape, block: undefined };
  if (known.spelling === 'misspelt') {
    const message = `${keyword.text} is misspelt, and keepalived ignores it: it has no effect`;
    report.add('no-effect', keyword, message, `write ${shape.name}`);
    return;
  }
  if (known.spelling === 'old') {
    const message = `${keyword.text} is the old name of ${shape.name}: taken`;
    report.addOnce('old-name', keyword.text, keyword, message, `write ${shape.name}`);
  }
  if (shape.repeats) {
    block.repeated.push(statement);
  } else {
    const before = putSetting(block, statement);
    if (before !== undefined) reportDuplicate(parser, before, statement);
  }
  // What needs a block is looked at when that begins.
  if (!shape.needsBlock) checkStatement(parser, statement);
  parser.pending = statement;
}

function checkStatement(parser: Parser, statement: Statement): void {
  const { shape, keyword, arguments: words } = statement;
  shape.checkArguments(words, keyword, parser.report);
  if (shape.effect !== 'now') reportEffect(parser, statement);
}

function reportDuplicate(parser: Parser, before: Statement, statement: Statement): void {
  const { keyword, shape } = statement;
  const first = before.keyword.line;
  if (shape.block !== undefined && parser.open.length === 1) {
    parser.report.add(
      'duplicate-block',
      keyword,
      `${keyword.text} stands in line ${first} already`,
      'merge them',
    );
    return;
  }
  const message = shape.firstCounts
    ? `${keyword.text} again: the one in line ${first} counts, this one does not`
    : `${keyword.text} again: this one counts, the one in line ${first} does not`;
  parser.report.add('duplicate-keyword', keyword, message, 'remove one of them');
}

/** Once for each kind: the keyword in the block where it stands. */
function reportEffect(parser: Parser, { keyword, shape }: Statement): void {
  const { isEffective, statement } = innermost(parser);
  if (!isEffective) return;
  const kind = shape.topic ?? `${statement?.shape.name ?? ''} ${shape.name}`;
  const what = shape.topic === undefined ? keyword.text : `${shape.topic} (${keyword.text})`;
  const remark = shape.remark === undefined ? '' : `: ${shape.remark}`;
  if (shape.effect === 'later') {
    parser.report.addOnce(
      shape.movesTraffic ? 'not-as-written' : 'not-in-effect-yet',
      kind,
      keyword,
      `${what} is not in effect yet${remark}`,
    );
  } else {
    parser.report.addOnce(
      'without-effect',
      kind,
      keyword,
      `${keyword.text} has no effect${remark}`,
      shape.remedy ?? 'remove it',
    );
  }
}

// What nobody knows here.

function takeUnknown(
  parser: Parser,
  shape: BlockShape,
  line: readonly Word[],
  from: number,
  to: number,
): void {
  const word = line[from];
  if (word === undefined) return;
  const opensBlock = line[to]?.kind === 'open';
  const outer = enclosingWith(parser, word.text, opensBlock);
  if (outer !== undefined) {
    reportUnclosed(parser, word, outer);
    parser.open.length = outer + 1;
    takeStatement(parser, line, from, to);
    return;
  }
  if (isSlashComment(word)) {
    reportSlashComment(word, parser.report);
  } else if (
    shape.kind === 'keywords' &&
    shape.strayWords !== undefined &&
    isStray(line.slice(from, to), shape, opensBlock)
  ) {
    parser.report.add('no-effect', word, `${word.text} stands for nothing here`, shape.strayWords);
  } else {
    reportUnknown(parser, shape, word);
  }
  parser.isAfterUnknown = true;
}

function isStray(words: readonly Word[], shape: KeywordBlock, opensBlock: boolean): boolean {
  const word = words[0]?.text ?? '';
  return words.length === 1 && !opensBlock && nearest(word, shape.keywords.keys()) === undefined;
}

/**
 * The index of the nearest enclosing block that knows the keyword, when the present one does not: a `}` is missing.
 * Only keywords of blocks tell that; among addresses, any keyword does.
 */
function enclosingWith(parser: Parser, keyword: string, opensBlock = false): number | undefined {
  const isItems = innermost(parser).shape.kind === 'items';
  for (let i = parser.open.length - 2; i >= 0; i--) {
    const shape = parser.open[i]?.shape;
    const known = shape?.kind === 'keywords' ? shape.keywords.get(keyword)?.shape : undefined;
    if (known !== undefined && (isItems || (known.block !== undefined && opensBlock))) return i;
  }
  return undefined;
}

function reportUnclosed(parser: Parser, word: Word, outer: number): void {
  const inner = parser.open[outer + 1]?.statement?.keyword;
  if (inner === undefined) return;
  const message = `${word.text} stands inside ${inner.text}, which was opened in line ${inner.line} and not closed`;
  parser.report.add('unclosed-block', word, message, `a } is missing before line ${word.line}`);
}

function reportUnknown(parser: Parser, shape: BlockShape, word: Word): void {
  const { report } = parser;
  const block = innermost(parser).statement?.shape.name;
  const within = block === undefined ? 'outside all blocks' : `in ${block}`;
  if (shape.kind === 'items') {
    report.add('unexpected-brace', word, `no block can begin ${within}`);
    return;
  }
  const places = describePlaces(parser.root, shape, word.text);
  const meant = places === undefined ? nearest(word.text, shape.keywords.keys()) : undefined;
  if (places !== undefined) {
    report.add('misplaced-keyword', word, `${word.text} is no keyword ${within}`, places);
  } else {
    const help = meant === undefined ? helpForUnknown(word) : `did you mean ${meant}?`;
    report.add('unknown-keyword', word, `${word.text} is no keyword ${within}`, help);
  }
}

function helpForUnknown({ text }: Word): string | undefined {
  if (/^(?:[$%>]$|\[?[\w.-]+@[\w.-]+(?::|$))/.test(text))
    return 'this is the prompt of a shell: remove the line';
  return /^(?:```.*|---|EOF)$/.test(text)
    ? 'this came along from where the text was copied: remove the line'
    : undefined;
}

/** Exposed for the tables of docs and tests: every keyword of the grammar with the block it stands in. */
export function allKeywords(root: KeywordBlock): { block: string; keyword: string; shape: KeywordShape }[] {
  const found: { block: string; keyword: string; shape: KeywordShape }[] = [];
  const visit = (block: KeywordBlock, name: string) => {
    for (const [keyword, { shape }] of block.keywords) {
      found.push({ block: name, keyword, shape });
      if (shape.block?.kind === 'keywords' && keyword === shape.name) visit(shape.block, keyword);
    }
  };
  visit(root, '');
  return found;
}
