// Conditions, definitions, uses and generators: what is left of a text, and where it stands.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language under test writes variables like this.
import { expect, test } from 'vitest';
import { readLines } from '../../../src/config/include.js';
import type { Word } from '../../../src/config/lexer.js';
import { createPreprocessor, finishPreprocessing } from '../../../src/config/preprocess.js';
import { createReport } from '../../../src/config/report.js';
import type { Environment } from '../../../src/config/variables.js';

const environment: Environment = {
  variables: { SITE: 'east' },
  random: () => 0.5,
  workingDirectory: '/etc/uvs',
};

function run(text: string, configId = 'main'): { lines: string[]; words: Word[]; codes: string[] } {
  const lines: string[] = [];
  const all: Word[] = [];
  const report = createReport();
  const preprocessor = createPreprocessor(report, environment, configId, (words) => {
    lines.push(words.map((word) => word.text).join(' '));
    all.push(...words);
  });
  readLines([{ file: 'a.conf', text }], preprocessor, () => []);
  finishPreprocessing(preprocessor);
  return { lines, words: all, codes: report.finish().map(({ code }) => code) };
}

test.each([
  ['@main a\n@other b\n@^main c\n@^other d', ['a', 'd']],
  ['@other a {\n b {\n }\n}\nc', ['c']],
  ['@other a\n{\n b\n}\nc', ['c']],
  ['@other a\nb', ['b']],
  ['@main a {\n@other b\n}', ['a {', '}']],
  ['  @main   a b', ['a b']],
])('conditions: %j', (text, lines) => {
  expect(run(text)).toMatchObject({ lines, codes: [] });
});

test.each([
  ['$A=1\nx $A', ['x 1']],
  ['$A=1\nx ${A}y', ['x 1y']],
  ['$A=1\nx $Ay ${B}', ['x $Ay ${B}']],
  ['$A=1 # comment\nx $A', ['x 1']],
  ['$A=\nx $A y', ['x y']],
  ['$A=b c\nx $A', ['x b c']],
  ['$A=b c\nx "$A "', ['x b c ']],
  ['$BASE=10.2.${SUB}\n$SUB=0\n${BASE}.1/32\n$SUB=10\n${BASE}.1/32', ['10.2.0.1/32', '10.2.10.1/32']],
  ['@main $P=240\n@other $P=200\np $P', ['p 240']],
  ['$IF=@main\n$IF a\n$NOT=@other\n$NOT b', ['a']],
  ['$A= \\\n x 1 \\\n y 2\n$A\nz', ['x 1', 'y 2', 'z']],
  [
    '$B= \\\n b ${N} { \\\n $M=${N}0 \\\n c ${M} \\\n }\n$N=1\n$B\n$N=2\n$B',
    ['b 1 {', 'c 10', '}', 'b 2 {', 'c 20', '}'],
  ],
  ['$R= \\\n r ${I} \\\n s\n$V= \\\n $I=1 \\\n $R \\\n $I=2 \\\n $R\n$V', ['r 1', 's', 'r 2', 's']],
  ['x ${_INSTANCE} ${_PWD} "${_HASH} ${_BANG}"', ['x main /etc/uvs # !']],
  // As the live keepalived 2.2.7: what a variable brings is read like text of the file.
  ['$OFF=${_HASH}\n$OFF nopreempt\nx 1 $OFF 2\ny a${_BANG}b', ['x 1', 'y a']],
  ['$A= \\\nx 1 \\\n#   y 2 \\\nz 3 # 4\n$A', ['x 1', 'z 3']],
  ['x ${_RANDOM 10 19} ${_ENV SITE} ${_ENV NONE}y', ['x 15 east y']],
  ['x ${_NOT_THERE}', ['x ${_NOT_THERE}']],
])('variables: %j', (text, lines) => {
  expect(run(text)).toMatchObject({ lines, codes: [] });
});

test.each([
  ['~SEQ(S, 0, 3) a.${S}', ['a.0', 'a.1', 'a.2', 'a.3']],
  ['~SEQ(S, 2) a$S b$S.', ['a1 b$S.', 'a2 b$S.']],
  ['~SEQ(S, 2) $S b', ['1 b', '2 b']],
  ['~SEQ(S, -2) $S', ['-1', '-2']],
  ['~SEQ(S, 3, 1) $S', ['3', '2', '1']],
  ['~SEQx(S, 0x90, 0x10, 0xb0) f:${S}', ['f:90', 'f:a0', 'f:b0']],
  ['~SEQx(A, 1) ~SEQx(B, 0xb, -1, 0xa) ${A}:${B}', ['1:b', '1:a']],
  ['~LST(I, 1, x) a.${I}', ['a.1', 'a.x']],
  ['~LST({I, J}, {10,1},{20,4}) ${I}.${J}', ['10.1', '20.4']],
  ['~LST(I, 1, 2) ~SEQ(J, 1, 2) ${I}.${J}', ['1.1', '1.2', '2.1', '2.2']],
  ['$V= \\\n a ${I} \\\n b\n~SEQ(I, 2) $V', ['a 1', 'b', 'a 2', 'b']],
  ['$I=9\n~SEQ(I, 1) $I\n$I', ['1', '9']],
  ['~/path', ['~/path']],
])('generators: %j', (text, lines) => {
  expect(run(text)).toMatchObject({ lines, codes: [] });
});

test.each([
  ['$A =1', 'invalid-definition'],
  ['$_HASH=1', 'invalid-definition'],
  ['~SEQ(1, 2) a', 'invalid-generator'],
  ['~SEQ(S, 1, 0, 2) a', 'invalid-generator'],
  ['~SEQ(S', 'invalid-generator'],
  ['~LST({A,B},{1}) a', 'invalid-generator'],
  ['~LST(A) a', 'invalid-generator'],
  ['~SEQ(S, 1000000000) a', 'expansion-limit'],
  ['$A=${A}x\n${A}', 'expansion-limit'],
  ['$A= \\\n $A \\\n x\n$A', 'expansion-limit'],
])('refused: %j', (text, code) => {
  expect(run(text).codes).toEqual([code]);
});

test('words of an expansion stand where it was used; words beside it keep their columns', () => {
  const { words } = run('$A=one two\n  x $A "y z" ${A}w');
  expect(words.map(({ text, line, column, length }) => [text, line, column, length])).toEqual([
    ['x', 2, 3, 1],
    ['one', 2, 5, 2],
    ['two', 2, 5, 2],
    ['y z', 2, 8, 5],
    ['one', 2, 14, 4],
    ['twow', 2, 14, 4],
  ]);
});

test('lines of a value stand where it was used, and words after a condition or generator keep their columns', () => {
  expect(run('$A= \\\n x 1 \\\n y\n  $A').words.map(({ line, column }) => [line, column])).toEqual([
    [4, 3],
    [4, 3],
    [4, 3],
  ]);
  expect(run('@main a').words[0]).toMatchObject({ column: 7 });
  expect(run('~SEQ(S, 1) a ${S}').words.map(({ column }) => column)).toEqual([12, 14]);
});
