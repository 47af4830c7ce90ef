// LVS without keepalived: a director without a file, and the commands of the tutorials as they are printed there, by links named
// ipvsadm. Real traffic has to follow them, and a server that is taken out under load costs no request.

import { existsSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandFile } from '../support/lab/director.js';
import {
  cliFile,
  type Host,
  Lab,
  labNeeds,
  request,
  startHttp,
  type TrackedProcess,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

/** Hides the configurations that this machine may have. */
const withoutFiles = ['/etc/uvs', '/etc/keepalived']
  .filter((folder) => existsSync(folder))
  .map((folder) => `mount -t tmpfs none ${folder} && `)
  .join('');

requires(...labNeeds).describe('LVS without keepalived', () => {
  let lab: Lab;
  let director: Host;
  let client: Host;
  let socket: string;
  let rules: string;
  let running: TrackedProcess;

  /** A line as a shell of the director's machine takes it. */
  const shell = (line: string) =>
    director.tryExec(['sh', '-c', line], {
      env: { PATH: `${lab.dir}:${process.env.PATH}`, UVS_SOCKET: socket },
    });
  const typed = async (line: string) => {
    expect(await shell(line), line).toMatchObject({ code: 0, stderr: '' });
  };
  const said = async (line: string) => (await shell(line)).stdout;
  const answers = async (count: number) => {
    const { counts, failures } = await request(client, urlOf(vip), count);
    expect(failures).toEqual([]);
    return Object.fromEntries(counts);
  };
  const launch = async (...more: readonly string[]) => {
    const run = `${withoutFiles}exec node ${cliFile} run --socket ${socket} ${more.join(' ')}`;
    running = director.spawn(['unshare', '-m', 'sh', '-c', run], { name: 'director' });
    await running.waitForOutput(/\bready\b/, 15);
  };

  beforeAll(async () => {
    lab = await Lab.create(topologies.nat({ servers: 3 }));
    director = lab.host('director');
    client = lab.host('client');
    socket = director.file('sock');
    rules = director.file('rules');
    for (const name of ['ipvsadm', 'ipvsadm-save', 'ipvsadm-restore'])
      symlinkSync(commandFile, `${lab.dir}/${name}`);
    await Promise.all(['server-a', 'server-b', 'server-c'].map((name) => startHttp(lab.host(name))));
    await launch();
  });
  afterAll(async () => {
    await lab?.dispose();
  });

  test('a start without a file is told, and has no service', async () => {
    expect(running.output()).toContain('there is no configuration');
    expect((await said('ipvsadm -Ln')).split('\n')).toHaveLength(4);
  });

  test('what the tutorials type is served', async () => {
    await typed('ipvsadm -C');
    await typed(`ipvsadm -A -t ${vip}:80 -s rr`);
    await typed(`ipvsadm -a -t ${vip}:80 -r 10.2.0.21:80 -m`);
    await typed(`ipvsadm -a -t ${vip}:80 -r 10.2.0.22:80 -m -w 1`);
    expect(await answers(6)).toEqual({ 'server-a': 3, 'server-b': 3 });
    expect(await said('ipvsadm -Ln')).toContain(
      `TCP  ${vip}:80 rr\n  -> 10.2.0.21:80                 Masq    1 `,
    );
    expect((await said('ipvsadm -Lnc')).split('\n').filter((line) => line.startsWith('TCP'))).toHaveLength(6);
    expect(await said('ipvsadm -ln --stats')).toMatch(/^TCP {2}10\.1\.0\.100:80 +6 /m);
    await typed('ipvsadm -Z');
    expect(await said('ipvsadm -ln --stats')).toMatch(/^TCP {2}10\.1\.0\.100:80 +0 +0 +0 +0 +0$/m);
  });

  test('edits are felt by the next connection', async () => {
    await typed(`ipvsadm -E -t ${vip}:80 -s wrr`);
    await typed(`ipvsadm -e -t ${vip}:80 -r 10.2.0.21:80 -m -w 3`);
    expect(await answers(8)).toEqual({ 'server-a': 6, 'server-b': 2 });
    await typed(`ipvsadm -d -t ${vip}:80 -r 10.2.0.22:80`);
    expect(await answers(2)).toEqual({ 'server-a': 2 });
    await typed(`ipvsadm -a -t ${vip}:80 -r 10.2.0.22:80 -m`);
    await typed(`ipvsadm -a -t ${vip}:80 -r 10.2.0.23:80 -m`);
    await typed(`ipvsadm -E -t ${vip}:80 -s rr`);
    await typed('ipvsadm --set 900 60 300');
    expect(await said('ipvsadm -L --timeout')).toBe('Timeout (tcp tcpfin udp): 900 60 300\n');
  });

  test('IPv6 likewise', async () => {
    await typed(`ipvsadm -A -t [${vip6}]:http -s wlc`);
    await typed(`ipvsadm -a -t [${vip6}]:80 -r [fd00:2::21]:80 -m`);
    const { counts, failures } = await request(client, urlOf(vip6), 3);
    expect([failures, Object.fromEntries(counts)]).toEqual([[], { 'server-a': 3 }]);
    expect(await said(`ipvsadm -Ln -t [${vip6}]:80`)).toMatch(/^ {2}-> \[fd00:2::21\]:80 +Masq +1 /m);
    await typed(`ipvsadm -D -t [${vip6}]:80`);
    expect((await request(client, urlOf(vip6), 1, 1)).failures).toHaveLength(1);
  });

  test('saved, cleared and restored it is as before', async () => {
    await typed(`ipvsadm -S -n > ${rules}`);
    const saved = await said('ipvsadm-save -n');
    expect(saved.split('\n')).toHaveLength(5);
    await typed('ipvsadm -C');
    expect((await request(client, urlOf(vip), 1, 1)).failures).toHaveLength(1);
    await typed(`ipvsadm -R < ${rules}`);
    expect(await said('ipvsadm-save -n')).toBe(saved);
    expect(Object.keys(await answers(9)).sort()).toEqual(['server-a', 'server-b', 'server-c']);
  });

  test('restored, quiesced, emptied and removed under load: no request fails', async () => {
    const load = client.tryExec([
      'wrk',
      '-t1',
      '-c8',
      '-d8s',
      '--timeout',
      '5s',
      '-H',
      'Connection: close',
      urlOf(vip),
    ]);
    const active = async () => {
      const row = (await said('ipvsadm -Ln')).split('\n').find((line) => line.includes('10.2.0.22:80'));
      return row === undefined ? undefined : Number(row.trim().split(/\s+/)[4]);
    };
    await waitFor('connections to server-b', async () => ((await active()) ?? 0) > 0);
    await typed(`ipvsadm-restore < ${rules}`);
    await typed(`ipvsadm -e -t ${vip}:80 -r 10.2.0.22:80 -m -w 0`);
    await waitFor('server-b without active connections', async () => (await active()) === 0);
    await typed(`ipvsadm -d -t ${vip}:80 -r 10.2.0.22:80`);
    expect(await active()).toBeUndefined();
    const { code, stdout } = await load;
    expect(code).toBe(0);
    expect(stdout).toMatch(/\d+ requests in/);
    expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
    expect(Object.keys(await answers(6)).sort()).toEqual(['server-a', 'server-c']);
  });

  test('rules that were saved are in force from the next start', async () => {
    running.signal('SIGTERM');
    await running.exited;
    await launch('--ipvsadm-rules', rules);
    expect(Object.keys(await answers(6)).sort()).toEqual(['server-a', 'server-b', 'server-c']);
    expect(await said('ipvsadm -Sn')).toContain(`-A -t ${vip}:80 -s rr\n`);
  });
});
