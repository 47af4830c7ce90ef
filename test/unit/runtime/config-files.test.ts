// Reading a configuration's files: includes in rounds, what is no regular file, bounds, and a file that does not answer.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { parseConfig } from '../../../src/config/index.js';
import { ConfigFiles } from '../../../src/runtime/config-files.js';
import { readSource } from '../../../src/runtime/config-source.js';

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
const load = async (file: string, limits = {}) =>
  parseConfig(await readSource({ configFile: file }, {}, undefined, limits));

test('includes of includes, by patterns over directories', async () => {
  mkdirSync(join(folder, 'd', 'one'), { recursive: true });
  mkdirSync(join(folder, 'd', 'two'));
  write('d/one/a.conf', `${service(1)}include ${folder}/deep.conf\n`);
  write('d/two/b.conf', service(2));
  write('deep.conf', service(3));
  const { config, diagnostics } = await load(write('main.conf', `include ${folder}/d/*/*.conf\n`));
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(config?.virtualServers.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.3', '10.0.0.2']);
});

test('a FIFO is not waited for, as the file and as an include', async () => {
  const path = fifo('fifo.conf');
  await expect(load(path)).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: `can't read ${path}: it is a FIFO, and only regular files are read`,
  });
  const { diagnostics } = await load(write('with-fifo.conf', `include ${path}\n`));
  expect(diagnostics).toContainEqual(
    expect.objectContaining({ message: expect.stringContaining('it is a FIFO, and only regular files') }),
  );
});

test.each([
  ['one file', { file_bytes: 1_000 }, 'it has more than 1000 bytes'],
  ['all together', { all_bytes: 1_000 }, 'all files together have more than 1000 bytes'],
])('%s: no more than so many bytes are read', async (name, limits, problem) => {
  const large = write(`large-${name}.conf`, '#'.repeat(70_000));
  const { diagnostics } = await load(write(`large-main-${name}.conf`, `include ${large}\n`), limits);
  expect(diagnostics).toContainEqual(expect.objectContaining({ message: expect.stringContaining(problem) }));
});

test('an include that names itself anew each time ends', async () => {
  const files = new ConfigFiles({ rounds: 5 });
  let count = 0;
  const pass = async () => {
    for (let i = 0; i <= count; i++) files.system.list(join(folder, `d${i}`));
    count += 1;
  };
  await expect(files.settle(pass)).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' });
  expect(count).toBe(5);
});

test('a file that does not answer costs its deadline once; while it hangs nothing is read, and then all is again', async () => {
  const path = write('hangs.conf', service(1));
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const hangs = async (...given: Parameters<typeof stat>) => {
    await answered;
    return await stat(...given);
  };
  const disk = { open, readdir, stat: hangs as typeof stat };
  const first = new ConfigFiles({ deadline_ms: 10 }, disk);
  await expect(first.text(path)).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: `${path} does not answer: no byte of it within 0.01 s`,
  });
  const other = write('other.conf', service(2));
  await expect(load(other)).rejects.toMatchObject({
    message: `${path} has not answered an earlier attempt yet; nothing is read meanwhile`,
  });
  answer();
  await vi.waitFor(async () => expect((await load(other)).config).toBeDefined());
});
