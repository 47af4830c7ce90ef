// Failover on the command line: status, switchover with its exit codes, and what signals write.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../../src/cli/program.js';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import { MemoryNetwork } from '../../../src/dataplane/memory-network.js';
import { MemoryWire } from '../../../src/dataplane/memory-wire.js';
import type { IpAddress } from '../../../src/model/address.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { Director } from '../../../src/runtime/director.js';
import { type Output, startScript } from '../../support/command.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-failover-'));
const socket = join(folder, 'a.sock');
const processTimeout_ms = 60_000;
const script = 'test/support/run-in-memory.ts';
const directors: Director[] = [];

afterEach(async () => {
  await Promise.all(directors.splice(0).map((director) => director.stop()));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** v3 with ten adverts a second: a release lasts 0.7 s at most. */
function config(priority: number, more = ''): string {
  return `
${more}
vrrp_instance VI_1 {
  state ${priority === 255 ? 'MASTER' : 'BACKUP'}
  interface eth0
  version 3
  virtual_router_id 51
  priority ${priority}
  advert_int 0.1
  virtual_ipaddress {
    10.0.0.100/24
  }
}
`;
}

async function start(host: number, priority: number, wire: MemoryWire, path?: string): Promise<Director> {
  const links = [{ name: 'eth0', addresses: [{ address: `10.0.0.${host}` as IpAddress, length: 24 }] }];
  const network = new MemoryNetwork({ clock: systemClock, wire, links });
  const director = createDirector(
    { configText: config(priority) },
    { dataplane: new MemoryDataplane(), network, socket: path },
  );
  directors.push(director);
  await director.start();
  return director;
}

async function cli(...args: readonly string[]): Promise<Output> {
  const text = { stdout: '', stderr: '' };
  const capture = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((piece) => {
      text[name] += String(piece);
      return true;
    });
  const spies = [capture('stdout'), capture('stderr')];
  const code = await runCommandLine([...args, '--socket', socket]);
  for (const spy of spies) spy.mockRestore();
  return { code, ...text };
}

const stateOf = (director: Director) => director.virtualRouters().virtualRouters[0]?.state;

describe('switchover', () => {
  test('the peer takes over: exit 0, and it stays with the peer until that is ended', async () => {
    const wire = new MemoryWire(systemClock);
    const a = await start(1, 255, wire, socket);
    const b = await start(2, 100, wire);
    const done = await cli('switchover', 'VI_1');
    expect(done).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^VI_1: 10\.0\.0\.2 took over after 0\.\d{3} s\n$/),
      stderr: '',
    });
    expect([stateOf(a), stateOf(b)]).toEqual(['backup', 'master']);
    const again = await cli('switchover');
    expect(again).toMatchObject({
      code: 1,
      stderr: 'director: no virtual router is master here; the master is 10.0.0.2: run it there\n',
    });
    expect((await cli('switchover', 'VI_1')).stderr).toBe(
      'director: a switchover starts at the master; here VI_1 is in state backup; the master is 10.0.0.2: run it there\n',
    );
    expect(await cli('switchover', '--allow-preemption')).toEqual({
      code: 0,
      stdout: 'VI_1: priorities decide again\n',
      stderr: '',
    });
    await vi.waitFor(() => expect(stateOf(a)).toBe('master'), 5_000);
  });

  test('nobody takes over: exit 1, and this director is master again', async () => {
    const a = await start(1, 255, new MemoryWire(systemClock), socket);
    const { code, stdout } = await cli('switchover', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout).outcomes).toMatchObject([{ router: 'VI_1', kind: 'nobody-took-over' }]);
    expect(stateOf(a)).toBe('master');
  });

  test('--no-wait answers at once; an unknown name is refused', async () => {
    await start(1, 255, new MemoryWire(systemClock), socket);
    expect(await cli('switchover', '--no-wait')).toMatchObject({
      code: 0,
      stdout: 'VI_1: priority 0 is said; this director forwards until a successor is heard\n',
    });
    expect(await cli('switchover', 'VI_7')).toMatchObject({
      code: 1,
      stderr: 'director: there is no virtual router or sync group VI_7: did you mean VI_1?\n',
    });
  });
});

test('status', async () => {
  await start(1, 255, new MemoryWire(systemClock), socket);
  const { stdout } = await cli('status');
  expect(stdout).toMatch(
    /^virtual router VI_1: master since \d+\.\d{3} s: owner of the addresses \(priority 255\); adverts priority 255$/m,
  );
  expect(stdout).toMatch(/^ {15}VRID 51 on eth0, IPv4, version 3: 10\.0\.0\.100$/m);
  expect(stdout).toMatch(/^ {15}priority 255, adverts from 10\.0\.0\.1$/m);
  expect(stdout).toMatch(
    /^ {15}budget: planned stop or switchover 0 s; director process killed up to 0\.000 s; /m,
  );
  expect(stdout).toMatch(
    /^timeline {7}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z VI_1: initialize → master: owner/m,
  );
  const { virtualRouters, timeline } = JSON.parse((await cli('status', '--json')).stdout);
  expect(virtualRouters).toMatchObject([{ name: 'VI_1', state: 'master', virtualRouterId: 51 }]);
  expect(timeline).toHaveLength(1);
});

test('nothing is loaded before SIGUSR1 is taken from Node’s debugger', () => {
  const text = readFileSync('src/cli/main.ts', 'utf8');
  expect([...text.matchAll(/^import .*$/gm)].map(([line]) => line)).toEqual(["import './early-signals.js';"]);
});

describe('run', { timeout: processTimeout_ms }, () => {
  test('USR1 and USR2 write dumps, follow no link, and open no debugger', async () => {
    const data = join(folder, 'the.data');
    const stats = join(folder, 'the.stats');
    const precious = join(folder, 'precious');
    const file = join(folder, 'run.conf');
    writeFileSync(precious, 'precious');
    symlinkSync(precious, data);
    const dumps = `global_defs {
      state_dump_file ${data}
      stats_dump_file ${stats}
      json_dump_file ${join(folder, 'the.json')}
    }`;
    writeFileSync(file, config(255, dumps));
    const director = startScript(script, [file, join(folder, 'run.sock')]);
    await director.printed(/ready generation=1/);
    director.child.kill('SIGUSR1');
    await director.printed(/dump written kind=data/);
    director.child.kill('SIGUSR2');
    await director.printed(/dump written kind=stats/);
    expect(readFileSync(data, 'utf8')).toMatch(
      /^ VRRP Instance = VI_1\n {3}VRRP Version = 3\n {3}State = MASTER\n/m,
    );
    expect(readFileSync(stats, 'utf8')).toMatch(
      /^VRRP Instance: VI_1\n {2}Advertisements:\n {4}Received: 0\n/,
    );
    expect([lstatSync(data).isSymbolicLink(), readFileSync(precious, 'utf8')]).toEqual([false, 'precious']);
    expect(statSync(data).mode & 0o777).toBe(0o600);
    // keepalived's real-time signals, by their numbers.
    execFileSync('kill', ['-s', '36', String(director.child.pid)]);
    await director.printed(/dump written kind=json/);
    execFileSync('kill', ['-s', '63', String(director.child.pid)]);
    await director.printed(/a signal has no effect: counters go on[\s\S]*dump written kind=stats/);
    execFileSync('kill', ['-s', '64', String(director.child.pid)]);
    await director.printed(/a signal has no effect: there are no threads/);
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(0);
    expect(director.stderr()).not.toContain('ebugger');
  });

  test('a dump that can’t be written is said, and nothing else happens', async () => {
    const file = join(folder, 'bad-dump.conf');
    writeFileSync(file, config(255, 'global_defs {\n state_dump_file /nonexistent/data\n}'));
    const director = startScript(script, [file, join(folder, 'bad-dump.sock')]);
    await director.printed(/ready generation=1/);
    director.child.kill('SIGUSR1');
    await director.printed(/error no dump was written reason=.*can't write \/nonexistent\/data/);
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(0);
  });

  test('TERM waits for a successor; a second one does not', async () => {
    const file = join(folder, 'stop.conf');
    const path = join(folder, 'stop.sock');
    writeFileSync(file, config(255).replace('advert_int 0.1', 'advert_int 40'));
    const director = startScript(script, [file, path]);
    await director.printed(/ready generation=1/);
    director.child.kill('SIGTERM');
    await director.printed(/virtual router VI_1: master → releasing/);
    expect(existsSync(path)).toBe(true);
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(130);
  });
});
