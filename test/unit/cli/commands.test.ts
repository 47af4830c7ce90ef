// The command line as its users meet it: processes, their output and exit codes.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../../src/cli/program.js';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import type { IpAddress } from '../../../src/model/address.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { Director } from '../../../src/runtime/director.js';
import { type Output, runScript, startProgram, startScript } from '../../support/command.js';
import { FakeProbes } from '../../support/fake-probes.js';
import { requires } from '../../support/require.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-cli-'));
const socket = join(folder, 'director.sock');
const goodFile = join(folder, 'good.conf');
const badFile = join(folder, 'bad.conf');
const warnedFile = join(folder, 'warned.conf');
const main = 'src/cli/main.ts';
const processTimeout_ms = 120_000;

const good = `
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 10.1.0.1 80 {
    weight 3
    uthreshold 100
    TCP_CHECK {
      connect_timeout 1
    }
  }
  real_server 10.1.0.2 80 {
    weight 1
  }
}
`;

beforeAll(() => {
  writeFileSync(goodFile, good);
  writeFileSync(badFile, good.replace('lvs_sched', 'lvs_shed').replace('weight 1', 'weight x'));
  writeFileSync(warnedFile, good.replace('connect_timeout 1', 'connect_timeout 1\n nb_get_retry 2'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** In this process: quick. What differs for a process of its own is tested with one, below. */
async function cli(...args: readonly string[]): Promise<Output> {
  const text = { stdout: '', stderr: '' };
  const capture = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((piece) => {
      text[name] += String(piece);
      return true;
    });
  const spies = [capture('stdout'), capture('stderr')];
  const code = await runCommandLine(args);
  for (const spy of spies) spy.mockRestore();
  return { code, ...text };
}

describe('exit codes', () => {
  test.each([
    { args: ['--help'], code: 0, stdout: /run \[options\][\s\S]*doctor \[options\]/ },
    { args: ['list', '--help'], code: 0, stdout: /--persistent-conn/ },
    { args: ['--version'], code: 0, stdout: /^\d+\.\d+\.\d+\n$/ },
    { args: [], code: 2, stderr: /Usage: director/ },
    { args: ['walk'], code: 2, stderr: /unknown command 'walk'/ },
    { args: ['check', '--wat'], code: 2, stderr: /unknown option '--wat'/ },
    { args: ['check', 'a.conf'], code: 2, stderr: /named by -f; director check --help/ },
    { args: ['run', '-t', '-f', 'x'], code: 2, stderr: /-t is keepalived's: director check -f FILE\n/ },
    { args: ['run', '--vrrp_pid=/x'], code: 2, stderr: /there is one process: -p FILE/ },
    { args: ['-n', '-l', '-f', 'x'], code: 2, stderr: /options follow a verb: director run -n/ },
    { args: ['run', '--help'], code: 0, stdout: /--pid <file>(?![\\s\\S]*dont-fork)/ },
    { args: ['run', '-nlDGR', '--log-format', 'xml'], code: 2, stderr: /Allowed choices are text, json/ },
    { args: ['run', '--log-format', 'xml'], code: 2, stderr: /Allowed choices are text, json/ },
    {
      args: ['status', '--socket', '/nonexistent/socket'],
      code: 3,
      stderr: /^director: no director answers on \/nonex/,
    },
    {
      args: ['check', '-f', '/nonexistent/file'],
      code: 1,
      stderr: /^director: can't read \/nonexistent\/file: there is no/,
    },
  ])('director $args: $code', async ({ args, code, stdout = /^$/, stderr = /^$/ }) => {
    expect(await cli(...args)).toEqual({
      code,
      stdout: expect.stringMatching(stdout),
      stderr: expect.stringMatching(stderr),
    });
  });
});

describe('as a process', { timeout: processTimeout_ms }, () => {
  test.concurrent.each([
    { args: ['--help'], code: 0, stdout: /^Usage: director / },
    { args: ['walk'], code: 2, stderr: /unknown command 'walk'/ },
    { args: ['check', '-f', badFile], code: 1, stderr: /:3:3: error: / },
    { args: ['list', '--socket', '/nonexistent/socket'], code: 3, stderr: /^director: no director/ },
  ])('director $args: $code', async ({ args, code, stdout = /^$/, stderr = /^$/ }) => {
    expect(await runScript(main, args)).toEqual({
      code,
      stdout: expect.stringMatching(stdout),
      stderr: expect.stringMatching(stderr),
    });
  });
});

describe('check', () => {
  test('a good file: what was understood', async () => {
    const stderr = `${goodFile}: good: 1 service with 2 servers\n`;
    expect(await cli('check', '-f', goodFile)).toEqual({ code: 0, stdout: '', stderr });
  });

  test('the sum counts what is not as written, what is left out, routers and scripts, mistakes or not', async () => {
    const file = join(folder, 'sum.conf');
    const instance = (id: number) =>
      `vrrp_instance VI_${id} {\ninterface lo\nvirtual_router_id ${id}\nvirtual_ipaddress {\n10.0.1.${id}\n}\nnotify /no/such\n}\n`;
    const other = (address: string, more: string) =>
      good.replace('10.0.0.1', address).replace('protocol TCP', `protocol TCP\n${more}`);
    const services = [
      good,
      other('10.0.0.2', 'sorry_server_inhibit'),
      good.replace('10.0.0.1', '10.0.0.3').replace('NAT', 'TUN'),
    ];
    writeFileSync(file, `${services.join('')}${instance(1)}${instance(2)}`);
    const sum = '3 services with 4 servers, 1 not as written, 1 left out; 2 virtual routers; 2 scripts';
    const { code, stderr } = await cli('check', '-f', file);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${file}: 2 errors: ${sum}\n`)]);
    const lenient = await cli('check', '--lenient', '-f', file);
    expect([lenient.code, lenient.stderr]).toEqual([
      0,
      expect.stringContaining(`: good, 3 warnings: ${sum}\n`),
    ]);
    const here = await cli('check', '--lenient', '--here', '-f', file);
    expect(here.stderr).toContain('; 2 scripts: none runs\n');
    // What is good as a text can't start here.
    writeFileSync(file, instance(1).replace('interface lo', 'interface nosuch0'));
    const absent = await cli('check', '--here', '-f', file);
    expect([absent.code, absent.stderr]).toEqual([
      1,
      expect.stringMatching(/: good, .*1 error on this machine: /),
    ]);
  });

  test('a bad file: every error with line, column and caret', async () => {
    const { code, stdout, stderr } = await cli('check', '-f', badFile);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${badFile}:3:3: error: `);
    expect(stderr).toContain('  lvs_shed rr\n  ^~~~~~~~\nhelp: did you mean lvs_sched?\n');
    expect(stderr).toContain(`${badFile}:14:12: error: `);
  });

  test('--print prints what it reads, again the same', async () => {
    const { code, stdout } = await cli('check', '--print', '-f', goodFile);
    expect(code).toBe(0);
    const copy = join(folder, 'copy.conf');
    writeFileSync(copy, stdout);
    expect((await cli('check', '--print', '-f', copy)).stdout).toBe(stdout);
  });

  test('a notice passes, and with --werror it does not', async () => {
    const passed = await cli('check', '-f', warnedFile);
    expect([passed.code, passed.stderr]).toEqual([0, expect.stringMatching(/:11:2: notice: /)]);
    expect((await cli('check', '--werror', '-f', warnedFile)).code).toBe(1);
  });

  test('--lenient takes unknown keywords', async () => {
    const file = join(folder, 'unknown.conf');
    writeFileSync(file, good.replace('lvs_sched rr', 'lvs_sched rr\n colour red'));
    expect((await cli('check', '-f', file)).code).toBe(1);
    const { code, stderr } = await cli('check', '--lenient', '-f', file);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/: warning: /)]);
  });

  test('--config-id chooses the lines that count', async () => {
    const file = join(folder, 'conditions.conf');
    writeFileSync(file, good.replace('lvs_sched rr', '@high lvs_sched rr\n @low lvs_sched lc'));
    const { stdout } = await cli('check', '--print', '-f', file, '--config-id', 'low');
    expect(stdout).toContain('lvs_sched lc\n');
    expect((await cli('check', '--print', '-f', file, '-i', 'high')).stdout).toContain('lvs_sched rr\n');
  });

  test('--json', async () => {
    const { code, stdout } = await cli('check', '--json', '-f', badFile);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      isGood: false,
      diagnostics: [{ line: 3, column: 3 }, { line: 14 }],
    });
  });
});

describe('doctor', () => {
  test.each([
    { file: goodFile, level: 'ok', fact: /good\.conf has no errors: 1 service with 2 servers$/ },
    { file: badFile, level: 'error', fact: /bad\.conf has 2 errors: what depends on it was not looked at$/ },
  ])('says of $file what check would', async ({ file, level, fact }) => {
    const { code, stdout } = await cli('doctor', '--json', '-f', file, '--socket', '/nonexistent/socket');
    const [config] = (JSON.parse(stdout) as { findings: unknown[] }).findings;
    expect(config).toMatchObject({ name: 'config', level, fact: expect.stringMatching(fact) });
    if (level === 'error') expect(code).toBe(1);
  });
});

describe('verbs that ask a director', () => {
  const dataplane = new MemoryDataplane();
  const config = join(folder, 'live.conf');
  const ask = (verb: string, ...args: readonly string[]) => cli(verb, '--socket', socket, ...args);
  let director: Director;

  beforeAll(async () => {
    copyFileSync(goodFile, config);
    director = createDirector({ configFile: config }, { dataplane, socket, probes: new FakeProbes().probes });
    await director.start();
  });
  afterAll(() => director.stop());

  test('list -n', async () => {
    const service = {
      kind: 'endpoint',
      protocol: 'tcp',
      address: '10.0.0.1' as IpAddress,
      port: 80,
    } as const;
    dataplane.setCounts(service, { address: '10.1.0.1' as IpAddress, port: 80 }, { active: 4, inactive: 2 });
    expect(await ask('list', '-n')).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        'IP Virtual Server version 1.2.1 (size=4096)',
        'Prot LocalAddress:Port Scheduler Flags',
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
        'TCP  10.0.0.1:80 rr',
        '  -> 10.1.0.1:80                  Masq    3      4          2         ',
        '  -> 10.1.0.2:80                  Masq    1      0          0         ',
        '',
      ].join('\n'),
    });
  });

  test('list with each layout, and --nosort', async () => {
    expect((await ask('list', '-n', '--nosort')).stdout).toMatch(/10\.1\.0\.2[\s\S]*10\.1\.0\.1/);
    expect((await ask('list', '-n', '--thresholds')).stdout).toContain(
      '10.1.0.1:80                  100        0',
    );
    expect((await ask('list', '--timeout')).stdout).toBe('Timeout (tcp tcpfin udp): 900 120 300\n');
  });

  test('stats and connections', async () => {
    expect((await ask('stats', '-n')).stdout).toContain('Conns   InPkts  OutPkts  InBytes OutBytes\n');
    dataplane.setConnections([
      {
        protocol: 'tcp',
        client: { address: '10.9.0.1' as IpAddress, port: 50_000 },
        virtual: { address: '10.0.0.1' as IpAddress, port: 80 },
        destination: { address: '10.1.0.1' as IpAddress, port: 80 },
        state: 'ESTABLISHED',
        expires_ms: 899_500,
      },
    ]);
    const { stdout } = await ask('connections', '-n');
    expect(stdout.split('\n')[2]).toBe(
      'TCP 14:59  ESTABLISHED 10.9.0.1:50000     10.0.0.1:80        10.1.0.1:80',
    );
    expect(JSON.parse((await ask('connections', '--json')).stdout).connections.length).toBe(1);
  });

  test('status', async () => {
    const { stdout } = await ask('status');
    expect(stdout).toContain(`configuration  ${config}, generation`);
    expect(stdout).toContain(
      'services       1 up, 0 down, 0 draining\nservers        1 of 1 live, 1 more checked by nobody\n',
    );
    expect(JSON.parse((await ask('status', '--json')).stdout)).toMatchObject({ services: { total: 1 } });
  });

  test('what ipvsadm changes stays over a reload; plan says what would be, save writes it down', async () => {
    const web = ['-t', '10.0.0.1:80'];
    const service = {
      kind: 'endpoint',
      protocol: 'tcp',
      address: '10.0.0.1' as IpAddress,
      port: 80,
    } as const;
    dataplane.setCounts(service, { address: '10.1.0.1' as IpAddress, port: 80 }, { active: 4, inactive: 2 });
    expect(await ask('ipvsadm', '-e', ...web, '-r', '10.1.0.2', '-m', '-w', '0')).toMatchObject({ code: 0 });
    expect((await ask('status')).stdout).toMatch(/^changed {8}.*10\.1\.0\.2:80: weight 1 → 0$/m);
    const kept = /over the file, as changed at run time: .*weight 1 → 0\n/;
    expect((await ask('reload')).stdout).toMatch(
      new RegExp(`^${kept.source}generation \\d+: nothing has changed\n$`),
    );

    const next = join(folder, 'next.conf');
    writeFileSync(next, good.replace('weight 3', 'weight 4').replace('lvs_sched rr', 'lvs_sched wrr'));
    const planned = await ask('plan', next);
    expect(planned.code).toBe(0);
    expect(planned.stdout).toMatch(
      /scheduler rr → wrr \(6 connections\)\n.*weight 3 → 4 \(6 connections\)\n/,
    );
    expect(planned.stdout).toMatch(new RegExp(`${kept.source}2 changes\n$`));
    const dropping = await ask('plan', '--drop-changes', next);
    expect(dropping.stdout).toMatch(/no longer in force: .*weight 1 → 0\n3 changes\n$/);
    expect(await ask('plan', badFile)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(':3:3: error: '),
    });

    const saved = join(folder, 'saved.conf');
    expect(await ask('save', saved)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(saved, 'utf8')).toBe((await ask('save')).stdout);
    expect((await ask('plan', '--drop-changes', saved)).stdout).toBe('nothing would change\n');
    expect((await cli('check', '-f', saved)).code).toBe(0);
    expect((await ask('reload', '--drop-changes')).stdout).toMatch(/no longer in force: .*weight 1 → 0\n/);
    expect((await ask('status')).stdout).not.toMatch(/^changed /m);
  });

  test('reload says what changed; of a bad file, what is wrong', async () => {
    writeFileSync(config, good.replace('weight 3', 'weight 4'));
    expect(await ask('reload')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/weight 3 → 4\ngeneration \d+: in force\n$/),
    });
    copyFileSync(badFile, config);
    const { code, stdout, stderr } = await ask('reload');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`${config}:3:3: error: `);
    expect(stderr).toMatch(/\ndirector: the configuration has 2 errors, first: /);
  });
});

describe('run', { timeout: processTimeout_ms }, () => {
  const script = 'test/support/run-in-memory.ts';

  test('ready, HUP, TERM', async () => {
    const config = join(folder, 'run.conf');
    const path = join(folder, 'run.sock');
    copyFileSync(goodFile, config);
    const director = startScript(script, [config, path]);
    await director.printed(/^\S+Z info {2}ready generation=1 socket=\S+run\.sock$/m);
    // What scripts of keepalived's users look for: a pid file, and a process by name.
    const pidFile = join(folder, 'run.pid');
    await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8')).toBe(`${director.child.pid}\n`));
    expect(readFileSync(`/proc/${director.child.pid}/comm`, 'utf8')).toBe('director\n');
    writeFileSync(config, good.replace('weight 3', 'weight 4'));
    director.child.kill('SIGHUP');
    await director.printed(/configuration in force generation=2 changes=1/);
    copyFileSync(badFile, config);
    director.child.kill('SIGHUP');
    await director.printed(/reload failed; the configuration in force stays/);
    await vi.waitFor(() => expect(director.stderr()).toContain(`${config}:3:3: error: `));
    expect((await cli('status', '--socket', path)).stdout).toContain('generation 2');
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(0);
    expect(director.stdout()).toMatch(/info {2}stopped\n$/);
    expect(existsSync(pidFile)).toBe(false);
  });

  test('rules of ipvsadm are in force from the start; a wrong line keeps it from starting', async () => {
    const path = join(folder, 'rules.sock');
    const rules = join(folder, 'ipvsadm.rules');
    const arguments_ = [goodFile, path, 'text', rules];
    writeFileSync(
      rules,
      '# ipvsadm.rules\n\n-A -u 10.0.0.9:53 -s rr\n-a -u 10.0.0.9:53 -r 10.1.0.9:53 -m -w 2\n',
    );
    const director = startScript(script, arguments_);
    await director.printed(/ready generation=1 /);
    const listed = await cli('ipvsadm', '--socket', path, '-Ln');
    expect(listed.stdout).toMatch(/UDP {2}10\.0\.0\.9:53 rr\n {2}-> 10\.1\.0\.9:53 +Masq +2 /);
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(0);

    for (const [line, reason] of [
      ['-A -t 10.0.0.1:80', 'line 2: the service tcp 10.0.0.1:80 exists already'],
      ['-A -q', 'line 2: -q: unknown option'],
    ] as const) {
      writeFileSync(rules, `-A -u 10.0.0.9:53\n${line}\n`);
      const refused = startScript(script, arguments_);
      expect(await refused.ended).toBe(1);
      expect(refused.stderr()).toContain(`director: ${rules}: ${reason}\n`);
    }
  });

  test('changes of run time outlive a restart, and no stop', async () => {
    const path = join(folder, 'restarted.sock');
    const weight = async () =>
      /10\.1\.0\.1:80 +Masq +(\d+)/.exec((await cli('list', '-n', '--socket', path)).stdout)?.[1];
    const run = async (signal: NodeJS.Signals, use: () => Promise<void>) => {
      const director = startScript(script, [goodFile, path]);
      await director.printed(/ready generation=1 /);
      await use();
      director.child.kill(signal);
      expect(await director.ended).toBe(0);
    };
    const edit = ['-e', '-t', '10.0.0.1:80', '-r', '10.1.0.1', '-m', '-w', '7'];
    await run('SIGQUIT', async () => {
      expect((await cli('ipvsadm', '--socket', path, ...edit)).code).toBe(0);
    });
    await run('SIGTERM', async () => {
      expect(await weight()).toBe('7');
      expect(existsSync(`${path}.changes`)).toBe(false);
    });
    await run('SIGTERM', async () => expect(await weight()).toBe('3'));
  });

  test('a log that nobody reads any more ends nothing: lines are lost and counted', async () => {
    const config = join(folder, 'unread.conf');
    const path = join(folder, 'unread.sock');
    copyFileSync(goodFile, config);
    const director = startScript(script, [config, path]);
    await director.printed(/ready generation=1/);
    director.child.stdout?.destroy();
    director.child.stderr?.destroy();
    writeFileSync(config, good.replace('weight 3', 'weight 4'));
    expect((await cli('reload', '--socket', path)).code).toBe(0);
    await vi.waitFor(async () => {
      const { stdout } = await cli('status', '--socket', path);
      expect(stdout).toMatch(/^warning {8}[2-9] log lines could not be written$/m);
    }, 10_000);
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(0);
  });

  test('HUP while it starts: one reload when it has started, however many there were', async () => {
    const config = join(folder, 'slow.conf');
    const service = (n: number) => good.replace('10.0.0.1', `10.0.${n >> 8}.${n & 255}`);
    writeFileSync(config, Array.from({ length: 1_500 }, (_, n) => service(n)).join(''));
    const director = startScript(script, [config, join(folder, 'slow.sock')]);
    await director.printed(/starting/);
    for (let i = 0; i < 20; i++) director.child.kill('SIGHUP');
    await director.printed(/ready generation=1[\s\S]*configuration in force generation=1 changes=0/);
    director.child.kill('SIGTERM');
    expect(await director.ended).toBe(0);
    expect(director.stdout()).not.toContain('reload failed');
    expect(director.stdout().match(/configuration in force/g)?.length).toBeLessThan(4);
  });

  test('--log-format json: each line is an object', async () => {
    const director = startScript(script, [goodFile, join(folder, 'json.sock'), 'json']);
    await director.printed(/"message":"ready"/);
    director.child.kill('SIGINT');
    expect(await director.ended).toBe(0);
    const lines = director.stdout().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ level: 'info', message: 'ready', generation: 1 }),
    );
  });

  test('a bad configuration: all errors, each once, exit 1', async () => {
    const { code, stderr } = await runScript(script, [badFile, join(folder, 'bad.sock')]);
    expect(code).toBe(1);
    expect(stderr.match(/error: lvs_shed is no keyword/g)).toHaveLength(1);
    expect(stderr).toMatch(/\ndirector: the configuration has 2 errors, first: /);
  });

  const notified = requires('addon', 'pkg:socat');
  notified.test('systemd is told: READY, RELOADING, STOPPING', async () => {
    const path = join(folder, 'notify');
    const received = startProgram('socat', ['-u', `UNIX-RECV:${path}`, '-']);
    await received.exists(path);
    const director = startScript(script, [goodFile, join(folder, 'sd.sock')], { NOTIFY_SOCKET: path });
    await received.printed(/READY=1\nSTATUS=generation 1, 1 of 1 services up/);
    director.child.kill('SIGHUP');
    await received.printed(/RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloadingREADY=1/);
    director.child.kill('SIGTERM');
    await received.printed(/STOPPING=1/);
    expect(await director.ended).toBe(0);
    received.child.kill();
  });
});
