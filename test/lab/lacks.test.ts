// A director on a machine that lacks something, as it starts, runs, reloads and stops: it runs, or it says in one line
// what it lacks. What is lacking is lacking in a mount namespace of its own.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  cliFile,
  type Host,
  Lab,
  labNeeds,
  type TrackedProcess,
  topologies,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

/** Starts `node main.js run …` behind `before`, a line of sh that makes it lack something. */
function launch(host: Host, before: string, output = ''): { child: TrackedProcess; socket: string } {
  const socket = host.file('lacks.sock');
  const file = host.writeFile('lacks.conf', '');
  const command = `${before}; exec node ${cliFile} run -f ${file} --socket ${socket} ${output}`;
  return { child: host.spawn(['unshare', '-m', 'sh', '-c', command], { name: 'lacks' }), socket };
}

async function answers(host: Host, socket: string): Promise<string> {
  let text = '';
  await waitFor('the director to answer', async () => {
    const { code, stdout } = await host.tryExec(['node', cliFile, 'status', '--socket', socket]);
    text = stdout;
    return code === 0;
  });
  return text;
}

requires(...labNeeds).describe('a director runs', () => {
  const tmpfs = (folder: string, size: string) =>
    `mkdir -p ${folder}; mount -t tmpfs -o size=${size} none ${folder}`;

  test.each([
    {
      lack: 'space for its log',
      before: (folder: string) => `${tmpfs(folder, '4k')}; head -c 4096 /dev/zero > ${folder}/fill`,
      output: (folder: string) => `> ${folder}/log 2>&1`,
      isLogLost: true,
    },
    {
      lack: 'a reader of its log',
      before: (folder: string) =>
        `mkdir -p ${folder}; mkfifo ${folder}/p; (exec 9< ${folder}/p) & exec 8<> ${folder}/p`,
      output: (folder: string) => `> ${folder}/p 2>&1 8<&-`,
      isLogLost: true,
    },
    { lack: '/proc', before: () => 'mount -t tmpfs none /proc', output: () => '', isLogLost: false },
  ])('without $lack', async ({ before, output, isLogLost }) => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    const folder = host.file('lacking');
    const { child, socket } = launch(host, before(folder), output(folder));
    const status = await answers(host, socket);
    expect(/log lines could not be written/.test(status)).toBe(isLogLost);
    expect((await host.tryExec(['node', cliFile, 'reload', '--socket', socket])).code).toBe(0);
    expect(await child.stop()).toEqual({ code: 0, signal: undefined });
  });
});

requires(...labNeeds).describe('a director says in one line', () => {
  test.each([
    { lack: 'descriptors', before: 'ulimit -n 40', says: /^director: too few file descriptors/ },
    {
      lack: 'a folder for its socket',
      before: 'mkdir -p "$ro"; mount -t tmpfs -o ro none "$ro"',
      says: /^director: can't (make|listen on) \S+\/sub/,
    },
  ])('that it lacks $lack', async ({ before, says }) => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    const folder = host.file('readonly');
    const socket = join(folder, 'sub', 'director.sock');
    const { child } = launch(host, `ro=${folder}; ${before}`, `--socket ${socket}`);
    expect((await child.exited).code).toBe(1);
    const lines = child.output().trimEnd().split('\n');
    expect(lines.filter((line) => says.test(line)).length).toBe(1);
    expect(lines.filter((line) => /^\s+at /.test(line))).toEqual([]);
  });
});
