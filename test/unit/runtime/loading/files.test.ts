// Reading a configuration's files: includes of includes, what is no regular file, and bounds.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { virtualAddressOf } from '../../../../src/model/service-id.js';
import type { FileLimits } from '../../../../src/runtime/loading/files.js';
import { readSource } from '../../../../src/runtime/loading/read-source.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const service = (n: number) =>
  `virtual_server 10.0.0.${n} 80 {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 10.1.0.${n} 80 { }\n}\n`;
const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const fifo = (name: string) => {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
};
const load = (file: string, limits: Partial<FileLimits> = {}) =>
  readSource({ source: { configFile: file }, options: { configId: 'a' }, limits });

test('includes of includes, by patterns over directories', () => {
  mkdirSync(join(folder, 'd', 'one'), { recursive: true });
  mkdirSync(join(folder, 'd', 'two'));
  write('d/one/a.conf', `${service(1)}include ${folder}/deep.conf\n`);
  write('d/two/b.conf', service(2));
  write('deep.conf', service(3));
  const { config, diagnostics } = load(write('main.conf', `include ${folder}/d/*/*.conf\n`));
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(config?.virtualServers.map(({ id }) => virtualAddressOf(id))).toEqual([
    '10.0.0.1',
    '10.0.0.3',
    '10.0.0.2',
  ]);
});

test('a FIFO is not waited for, as the file and as an include', () => {
  const path = fifo('fifo.conf');
  expect(() => load(path)).toThrow(`can't read ${path}: it is a FIFO, and only regular files are read`);
  const { diagnostics } = load(write('with-fifo.conf', `include ${path}\n`));
  expect(diagnostics).toContainEqual(
    expect.objectContaining({ message: expect.stringContaining('it is a FIFO, and only regular files') }),
  );
});

test.each([
  ['one file', { file_bytes: 1_000 }, 'it has more than 1000 bytes'],
  ['all together', { all_bytes: 1_000 }, 'all files together have more than 1000 bytes'],
])('%s: no more than so many bytes are read', (name, limits, problem) => {
  const large = write(`large-${name}.conf`, '#'.repeat(70_000));
  const { diagnostics } = load(write(`large-main-${name}.conf`, `include ${large}\n`), limits);
  expect(diagnostics).toContainEqual(expect.objectContaining({ message: expect.stringContaining(problem) }));
});
