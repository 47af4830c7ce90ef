// `~SEQ(var, start, step, end) rest`, `~SEQx(…)` in hexadecimal, `~LST(var, v1, v2) rest` and
// `~LST({a, b}, {1, 2}, {3, 4}) rest`: the rest of the line once for each set of values. Pure reading of the head.

/** The variables of the generator and the values of each round, made one at a time. */
export type Generator = {
  readonly names: readonly string[];
  readonly count: number;
  readonly valuesAt: (round: number) => readonly string[];
  /** Offset of the rest of the line. */
  readonly end: number;
};

export type GeneratorProblem = { readonly problem: string; readonly end: number };

const head = /^\s*~(SEQx?|LST)\(/;

/** undefined when the line begins with no generator. */
export function readGenerator(text: string): Generator | GeneratorProblem | undefined {
  const match = head.exec(text);
  if (match === null) return undefined;
  const close = text.indexOf(')', match[0].length);
  if (close < 0) return { problem: 'the ( is never closed', end: text.length };
  const inside = text.slice(match[0].length, close);
  const end = close + 1;
  const read = match[1] === 'LST' ? readList(inside) : readSequence(inside, match[1] === 'SEQx');
  return { ...read, end };
}

type Read = Omit<Generator, 'end'> | { readonly problem: string };

function readSequence(inside: string, isHex: boolean): Read {
  const [name = '', ...texts] = inside.split(',').map((part) => part.trim());
  if (!isName(name)) return { problem: `${quoted(name)} is no name of a variable` };
  const numbers = texts.map(integerOf);
  if (numbers.length < 1 || numbers.length > 3 || numbers.some((number) => number === undefined)) {
    return { problem: 'it takes (variable, start, step, end) with whole numbers' };
  }
  const end = numbers.at(-1) ?? 0;
  const start = numbers.length > 1 ? (numbers[0] ?? 0) : Math.sign(end) || 1;
  const step = numbers.length > 2 ? (numbers[1] ?? 0) : end >= start ? 1 : -1;
  if (step === 0) return { problem: 'the step is 0, so it would never end' };
  const count = Math.max(0, Math.floor((end - start) / step) + 1);
  const text = (value: number) => (isHex && value >= 0 ? value.toString(16) : String(value));
  return { names: [name], count, valuesAt: (round) => [text(start + step * round)] };
}

function readList(inside: string): Read {
  const parts = splitOutsideBraces(inside);
  if (parts === undefined) return { problem: 'its braces are not even' };
  const [first = '', ...rows] = parts;
  const names = membersOf(first);
  const wrong = names.find((name) => !isName(name));
  if (wrong !== undefined) return { problem: `${quoted(wrong)} is no name of a variable` };
  if (rows.length === 0) return { problem: 'it takes (variable, value, …)' };
  const values = rows.map((row) => (first.startsWith('{') ? membersOf(row) : [row]));
  const uneven = values.find((row) => row.length !== names.length);
  if (uneven !== undefined)
    return { problem: `${names.length} variables stand against ${uneven.length} values` };
  return { names, count: values.length, valuesAt: (round) => values[round] ?? [] };
}

function splitOutsideBraces(text: string): string[] | undefined {
  const parts: string[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '{') depth++;
    else if (sign === '}') depth--;
    else if (sign === ',' && depth === 0) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
    if (depth < 0 || depth > 1) return undefined;
  }
  parts.push(text.slice(start).trim());
  return depth === 0 ? parts : undefined;
}

function membersOf(text: string): string[] {
  const inside = text.startsWith('{') && text.endsWith('}') ? text.slice(1, -1) : text;
  return inside.split(',').map((member) => member.trim());
}

function isName(text: string): boolean {
  return /^[A-Za-z_]\w*$/.test(text);
}

function integerOf(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]{1,12}|\d{1,15})$/.exec(text);
  return match === null ? undefined : Number(match[2]) * (match[1] === '-' ? -1 : 1);
}

function quoted(text: string): string {
  return `“${text.slice(0, 40)}”`;
}
