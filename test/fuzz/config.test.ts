// Any text is answered: no exception, no hang, a bounded number of diagnostics. Random bytes, damaged samples, and
// the shapes that break parsers: deep nesting, long lines, expansions without end, ten megabytes.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language under test writes variables like this.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rootBlock } from '../../src/config/grammar/root.js';
import { formatDiagnostics, type ParseResult, printConfig } from '../../src/config/index.js';
import type { KeywordBlock } from '../../src/config/shapes.js';
import { fuzzBudget_s, reportExecutions } from '../support/fuzz-budget.js';
import { asPrinted, parseText, sampleNames, sampleText } from '../support/parse-config.js';

const seconds = Number(process.env.UVS_FUZZ_SECONDS ?? fuzzBudget_s);
const samples = (['valid', 'broken'] as const).flatMap((folder) =>
  sampleNames(folder).map((name) => sampleText(folder, name)),
);

function check(text: string): ParseResult {
  const result = parseText(text, { readFiles: (pattern) => [{ file: pattern, text: text.slice(0, 200) }] });
  const isRefused = result.diagnostics.some(({ severity }) => severity === 'error');
  expect(result.config === undefined).toBe(isRefused);
  expect(result.diagnostics.length).toBeLessThanOrEqual(302);
  for (const { origin } of result.diagnostics) {
    expect(Math.min(origin.line, origin.column, origin.length)).toBeGreaterThanOrEqual(1);
  }
  formatDiagnostics(result.diagnostics);
  if (result.config !== undefined && text.length < 100_000) {
    const again = parseText(printConfig(result.config)).config;
    expect(asPrinted(again)).toEqual(asPrinted(result.config));
  }
  return result;
}

/** Runs the property for its share of the budget. */
function fuzz(name: string, text: fc.Arbitrary<string>): void {
  test(name, () => {
    let executions = 0;
    const property = fc.property(text, (value) => {
      executions++;
      check(value);
    });
    fc.assert(property, { numRuns: 1_000_000, interruptAfterTimeLimit: (seconds * 1000) / 4 });
    reportExecutions(`config, ${name}`, executions);
  });
}

fuzz(
  'random bytes',
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => new TextDecoder('latin1').decode(bytes)),
);

const fragment = fc.oneof(
  fc.constantFrom('{', '}', '"', "'", '#', '!', '@', '@^', '~SEQ(A,9)', '~LST(A,1,2)', '$A', '${A}', '\\'),
  fc.constantFrom(
    '$A=1',
    '$A=${B}',
    '$B= \\',
    'include x',
    'include_check',
    '\n',
    ' ',
    '\t',
    '\r\n',
    '//',
    '；',
  ),
  fc.constantFrom(
    'virtual_server',
    'real_server',
    '10.0.0.1',
    '80',
    'TCP_CHECK',
    'lvs_sched',
    'rr',
    'director',
  ),
  fc.constantFrom('vrrp_instance', 'virtual_ipaddress', 'global_defs', 'group', 'weight', '-1', '1e9'),
  fc.string({ maxLength: 4, unit: 'binary' }),
);
fuzz(
  'fragments of the language',
  fc.array(fragment, { maxLength: 120 }).map((parts) => parts.join(' ')),
);

fuzz(
  'damaged samples',
  fc
    .record({
      sample: fc.constantFrom(...samples),
      cuts: fc.array(
        fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(20), put: fragment }),
        {
          minLength: 1,
          maxLength: 6,
        },
      ),
    })
    .map(({ sample, cuts }) =>
      cuts.reduce((text, { at, length, put }) => {
        const start = Math.floor(at * text.length);
        return text.slice(0, start) + put + text.slice(start + length);
      }, sample),
    ),
);

// Blocks of failover that are nearly right: names that meet, keywords that contradict each other, values at the limits.
const value = fc.oneof(
  fc.constantFrom('1', '0', '2', '3', '255', '-5', '0.01', '41', '1.5', 'no', 'on', 'MASTER', 'BACKUP'),
  fc.constantFrom(
    'a',
    'b',
    'c',
    'eth0',
    'eth1',
    '10.0.0.1',
    '10.0.0.2/24',
    'fd00::1',
    'fe80::1',
    '224.0.0.9',
  ),
  fc.constantFrom('weight', 'reverse', 'dev', 'label', 'via', 'default', 'no_track', '"/bin/x y"', 'PASS'),
  fc.string({ maxLength: 4, unit: 'binary' }),
);
const values = fc.array(value, { maxLength: 4 }).map((words) => words.join(' '));
const keywordsOf = (shape: KeywordBlock): string[] => [...shape.keywords.keys()];
function blockOf(name: string): KeywordBlock {
  const block = rootBlock.keywords.get(name)?.shape.block;
  if (block?.kind !== 'keywords') throw new Error(`no block: ${name}`);
  return block;
}
function linesOf(shape: KeywordBlock): fc.Arbitrary<string> {
  const line = fc
    .record({
      keyword: fc.constantFrom(...keywordsOf(shape)),
      values,
      items: fc.array(values, { maxLength: 3 }),
    })
    .map(({ keyword, values: rest, items }) => {
      const block = shape.keywords.get(keyword)?.shape.block;
      if (block === undefined) return `${keyword} ${rest}`;
      const inner =
        block.kind === 'items' ? items : items.map((item, i) => `${keywordsOf(block)[i]} ${item}`);
      return `${keyword} {\n${inner.join('\n')}\n}`;
    });
  return fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n'));
}
const failoverBlock = fc
  .constantFrom('vrrp_instance', 'vrrp_sync_group', 'vrrp_script', 'track_file', 'global_defs')
  .chain((name) => {
    const heads: Readonly<Record<string, string>> = {
      vrrp_instance: 'virtual_router_id 7\n',
      vrrp_script: 'script x\n',
      track_file: 'file x\n',
    };
    return fc
      .record({ title: fc.constantFrom('a', 'b', 'c'), lines: linesOf(blockOf(name)) })
      .map(
        ({ title, lines }) =>
          `${name} ${name === 'global_defs' ? '' : title} {\n${heads[name] ?? ''}${lines}\n}`,
      );
  });
fuzz(
  'blocks of failover',
  fc.array(failoverBlock, { minLength: 1, maxLength: 4 }).map((blocks) => blocks.join('\n')),
);

describe('shapes that break parsers', () => {
  const megabytes = (unit: string, count: number) =>
    unit.repeat(Math.ceil((count * 1024 * 1024) / unit.length));
  const laughs = (use: string) =>
    [
      '$A0=ha',
      ...Array.from({ length: 30 }, (_, i) => `$A${i + 1}=${`${use.replace('N', `A${i}`)} `.repeat(10)}`),
      use.replace('N', 'A30'),
    ].join('\n');
  const serviceNumber = (i: number) =>
    `virtual_server 10.0.${(i >> 8) & 255}.${i & 255} ${80 + (i >> 16)} {\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nreal_server 10.1.0.2 80 {\nweight 1\n}\n}\n`;
  const service = serviceNumber(0);
  const routerNumber = (i: number) =>
    `vrrp_instance r${i} {\nvirtual_router_id ${(i % 255) + 1}\ninterface e${i}\nvirtual_ipaddress {\n10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\n}\n}\n`;

  test.each([
    ['100,000 open braces', '{'.repeat(100_000)],
    ['100,000 open braces, one a line', '{\n'.repeat(100_000)],
    ['100,000 closing braces', '}\n'.repeat(100_000)],
    ['100,000 nested blocks', 'a {\n'.repeat(100_000) + '}\n'.repeat(100_000)],
    ['100,000 nested services', 'virtual_server 10.0.0.1 80 {\n'.repeat(100_000)],
    ['10 MB of a good service, again and again', megabytes(service, 10)],
    ['10 MB of different services', Array.from({ length: 90_000 }, (_, i) => serviceNumber(i)).join('')],
    ['10 MB on one line', 'a '.repeat(5 * 1024 * 1024)],
    ['2 MB of quotes', megabytes('"a\n', 2)],
    ['2 MB of comments', megabytes('# a\n', 2)],
    ['2 MB of unknown words', megabytes('nonsense 1\n', 2)],
    ['10 MB inside an unknown block', `nonsense {\n${megabytes('weight 1\n', 10)}}`],
    ['2 MB of a repeated keyword', `global_defs {\n${megabytes('router_id a\n', 2)}}`],
    ['2 MB in a false condition', `@other a {\n${megabytes('b { c }\n', 2)}}`],
    ['2 MB in a definition', `$A= \\\n${megabytes('b \\\n', 2)}`],
    ['lines at the limit full of half variables', `${'${A '.repeat(16_000)}\n`.repeat(20)],
    ['lines at the limit full of half generators', `${'~LST({A,'.repeat(8_000)}\n`.repeat(20)],
    ['lines at the limit full of slashes and quotes', `${"a //b' ".repeat(9_000)}\n`.repeat(20)],
    ['a billion laughs', laughs('${N}')],
    ['a billion laughs, bare', laughs('$N')],
    ['a billion laughs over lines', laughs('${N}').replaceAll('=', '= \\\n').replaceAll(' \n', ' \\\n \n')],
    ['50,000 virtual routers', Array.from({ length: 50_000 }, (_, i) => routerNumber(i)).join('')],
    [
      '10,000 unknown members',
      `${routerNumber(0)}vrrp_sync_group g {\ngroup {\n${Array.from({ length: 10_000 }, (_, i) => `m${i}`).join('\n')}\n}\n}`,
    ],
    [
      '2 MB of addresses',
      `vrrp_instance a {\nvirtual_router_id 1\nvirtual_ipaddress {\n${megabytes('10.0.0.1\n', 2)}}\n}`,
    ],
    ['a value that contains itself', '$A=${A}${A}\n${A}'],
    ['generators in generators', `${'~SEQ(A,1,1000) '.repeat(20)}a`],
    ['a generator without end', '~SEQ(A,999999999999) a'],
    ['an include that multiplies', 'include {a,b}{a,b}{a,b}{a,b}{a,b}\n'.repeat(5)],
  ])('%s', (_, text) => {
    const start = process.cpuUsage();
    const result = check(text);
    expect(result.diagnostics.length).toBeLessThanOrEqual(302);
    // Far beyond what it takes, far below a hang. CPU time: the machine may have other work.
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6).toBeLessThan(15);
  });
});
