// Loading by a child process: what it answers is what reading in place answers, errors included, and it can be given up.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { DirectorConfig } from '../../../../src/model/director-config.js';
import { virtualAddressOf } from '../../../../src/model/service-id.js';
import { createConfigLoader } from '../../../../src/runtime/loading/loader.js';
import { readSource } from '../../../../src/runtime/loading/read-source.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-loader-'));
afterAll(() => rmSync(folder, { recursive: true }));

const service = (n: number) =>
  `virtual_server 10.0.${n >> 8}.${n & 255} 80 {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 10.1.0.1 80 { }\n}\n`;
const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const options = { configId: 'a' };
const load = createConfigLoader(options);

test('a file of 3,000 services, and the value that it means', async () => {
  const configFile = write('large.conf', Array.from({ length: 3_000 }, (_, i) => service(i)).join(''));
  const loaded = await load({ configFile });
  expect(loaded).toStrictEqual(readSource({ source: { configFile }, options }));
  const config = loaded.config as DirectorConfig;
  const again = (await load({ config })).config;
  expect(again?.virtualServers.map(({ id }) => virtualAddressOf(id))).toEqual(
    config.virtualServers.map(({ id }) => virtualAddressOf(id)),
  );
});

test('a file with errors, and one that is not there', async () => {
  const configFile = write('wrong.conf', 'virtual_server 10.0.0.1 80 {\n lvs_shed rr\n}\n');
  expect(await load({ configFile })).toStrictEqual(readSource({ source: { configFile }, options }));
  await expect(load({ configFile: join(folder, 'none') })).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: `can't read ${join(folder, 'none')}: there is no such file`,
  });
});

test('a value that is none, short and long', async () => {
  const virtualServers = Array.from({ length: 60 }, () => ({ realServers: [], print: () => {} }));
  for (const config of [{}, { virtualServers, failover: { routers: [] } }, { virtualServers: 5 }]) {
    await expect(load({ config: config as unknown as DirectorConfig })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('the value given as `config` is no configuration'),
    });
  }
});

test('a text with an include is read like a file', async () => {
  const configText = `include ${write('one.conf', service(1))}\n`;
  expect((await load({ configText })).config?.virtualServers).toHaveLength(1);
});

test('what takes too long, and what nobody wants any more, is given up', async () => {
  const configFile = write('good.conf', service(1));
  await expect(createConfigLoader(options, { load_ms: 0 })({ configFile })).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: 'the configuration was not read within 0 s',
  });
  const stop = new AbortController();
  const stopped = load({ configFile }, stop.signal);
  stop.abort();
  await expect(stopped).rejects.toMatchObject({ message: 'the director stops' });
  expect((await load({ configFile })).config).toBeDefined();
});
