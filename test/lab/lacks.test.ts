// A director on a machine that lacks something, as it starts, runs, reloads and stops: it runs, or it says in one line
// what it lacks. What is lacking is lacking in a mount namespace of its own.

import { mkdirSync } from 'node:fs';
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

requires(...labNeeds).describe('a file that does not answer', () => {
  test('costs a reload, and neither the director nor its end', async () => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    const folder = host.file('mounted');
    mkdirSync(folder);
    const socket = host.file('hang.sock');
    const file = host.writeFile('hang.conf', `include ${folder}/*.conf\n`);
    const run = ['unshare', '-m', 'node', cliFile, 'run', '-f', file, '--socket', socket];
    const child = host.spawn(run, { name: 'hang' });
    await answers(host, socket);
    const reload = ['node', cliFile, 'reload', '--socket', socket];
    expect((await host.tryExec(reload)).code).toBe(0);

    // A file system in user space whose server reads no request. It answers with an error when the server ends.
    const inside = ['nsenter', '-t', String(child.pid), '-m'];
    const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
    const mount = `exec 3<>/dev/fuse; mount -i -t fuse -o ${options} none ${folder} && exec sleep 100`;
    const hang = async () => {
      const server = host.spawn([...inside, 'bash', '-c', mount], { name: 'fuse' });
      const mounts = [...inside, 'cat', '/proc/self/mounts'];
      await waitFor('the mount', async () => (await host.exec(mounts)).includes(`${folder} fuse`));
      return server;
    };
    const server = await hang();
    const failed = host.tryExec(reload);
    await answers(host, socket);
    expect(await failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${folder} does not answer`),
    });
    await server.stop();
    await host.exec([...inside, 'umount', folder]);
    expect((await host.tryExec(reload)).code).toBe(0);

    const second = await hang();
    const stopped = host.tryExec(reload);
    const children = ['ps', '--ppid', String(child.pid), '-o', 'args='];
    await waitFor('a reader', async () => (await host.tryExec(children)).stdout.includes('loading/reader'));
    expect(await child.stop()).toEqual({ code: 0, signal: undefined });
    expect((await stopped).stderr).toContain('the director stops');
    await second.stop();
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
