// Real programs, started as accounts: who they are, what they see, how their ends are told, and what is refused.
// Root becomes account 65534, which needs no entry anywhere.

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { ScriptPolicy } from '../../../../src/model/failover-config.js';
import type { Account } from '../../../../src/model/virtual-router.js';
import { Catcher } from '../../../../src/runtime/catcher.js';
import type { OnOurEnd } from '../../../../src/runtime/scripts/launcher.js';
import { type ScriptMachine, thisMachine } from '../../../../src/runtime/scripts/script-machine.js';
import { ProcessScriptRunner, type ScriptEnd } from '../../../../src/runtime/scripts/script-runner.js';
import { noPolicy } from '../../../support/fake-script-runner.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLog } from '../../../support/recording-log.js';
import { requires } from '../../../support/require.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-scripts-'));
chmodSync(folder, 0o755);
const out = join(folder, 'out');
mkdirSync(out);
chmodSync(out, 0o777);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const somebody: Account = { user: '65534', group: '65534' };
const root: Account = { user: 'root', group: undefined };
const secure: ScriptPolicy = { account: root, isSecure: true };
const log = new RecordingLog();
const catcher = new Catcher(new ManualClock(), log);
let runners: ProcessScriptRunner[] = [];
afterEach(async () => {
  for (const runner of runners) await runner.stop();
  runners = [];
  log.take();
});

function createRunner(machine: Partial<ScriptMachine> = {}, launcher?: string): ProcessScriptRunner {
  // Of this machine's accounts only root: numbers then have no names anywhere.
  const accounts = () => ({ passwd: 'root:x:0:0::/:/bin/sh\n', group: '' });
  const all = { ...thisMachine, accounts, ...machine };
  const runner = new ProcessScriptRunner({ log, catcher, machine: all, launcher });
  runners.push(runner);
  return runner;
}

/** Runs it to its end. */
function runIn(
  runner: ProcessScriptRunner,
  words: readonly string[],
  policy: ScriptPolicy = { ...noPolicy, account: somebody },
): Promise<ScriptEnd> {
  return new Promise((resolve) => runner.run({ words, account: undefined }, policy, 'dies', resolve));
}

function script(name: string, text: string, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const textOf = (name: string) => readFileSync(join(out, name), 'utf8');
const sh = (text: string) => ['/bin/sh', '-c', text];
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** A program that writes the process ids of itself and of a child, and stays. With `trap` neither minds SIGTERM. */
async function startStayer(runner: ProcessScriptRunner, name: string, onOurEnd: OnOurEnd, trap = false) {
  const ends: ScriptEnd[] = [];
  const lines = `${trap ? "trap '' TERM; " : ''}sleep 1000 & echo $$ $! > ${out}/${name}.new; mv ${out}/${name}.new ${out}/${name}; wait; wait`;
  const run = runner.run({ words: sh(lines), account: somebody }, noPolicy, onOurEnd, (end) =>
    ends.push(end),
  );
  await vi.waitFor(() => expect(existsSync(join(out, name))).toBe(true), { timeout: 10_000 });
  const pids = textOf(name).trim().split(' ').map(Number);
  return { run, ends, pids };
}

const patient = { timeout: 15_000 };
const { test: rootTest } = requires('root', 'launcher');

rootTest('ends are values: status, signal, and programs that never were', async () => {
  const runner = createRunner();
  const noInterpreter = script('no-interpreter', '#!/no/such/interpreter\n');
  expect(await runIn(runner, ['/bin/true'])).toEqual({ kind: 'exited', status: 0 });
  expect(await runIn(runner, sh('exit 7'))).toEqual({ kind: 'exited', status: 7 });
  expect(await runIn(runner, sh('kill -SEGV $$'))).toEqual({ kind: 'signalled', signal: 'SIGSEGV' });
  expect(await runIn(runner, [noInterpreter])).toEqual({
    kind: 'not-run',
    why: expect.stringMatching('^can not be run: there is no interpreter /no/such/interpreter '),
  });
  expect(await runIn(runner, [join(folder, 'none')])).toEqual({
    kind: 'not-run',
    why: `has no program to run (${folder}/none: no such file or directory): correct its path`,
  });
  expect(await runIn(runner, [script('plain', 'text', 0o644)])).toEqual({
    kind: 'not-run',
    why: `can not be run: ${folder}/plain is not executable by 65534: correct permissions, or the account it runs as`,
  });
  expect(await runIn(runner, ['bin/true'])).toMatchObject({
    why: expect.stringContaining('does not begin with /'),
  });
  expect(await runIn(runner, [])).toMatchObject({ why: expect.stringContaining('has no command') });
});

rootTest(
  "words arrive as they are, without a shell; a bare name is searched in PATH; a script without #! is sh's",
  async () => {
    const runner = createRunner({ searchPath: () => ['/no/such', folder] });
    script('show', `for word in "$0" "$@"; do printf '<%s>' "$word"; done > ${out}/words\n`);
    expect(await runIn(runner, ['show', 'a b', '$HOME', ';', '*', '', 'ü'])).toEqual({
      kind: 'exited',
      status: 0,
    });
    expect(textOf('words')).toBe(`<${folder}/show><a b><$HOME><;><*><><ü>`);
  },
);

rootTest('it is the account, with its one group and no capability, in a session of its own', async () => {
  const runner = createRunner();
  const facts = `cat /proc/self/status > ${out}/status; echo $$ $(cut -d' ' -f5,6 /proc/$$/stat) > ${out}/ids`;
  expect(await runIn(runner, sh(facts))).toEqual({ kind: 'exited', status: 0 });
  const status = textOf('status');
  expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]).toBe('65534\t65534\t65534\t65534');
  expect(/^Gid:\s+(.*)$/m.exec(status)?.[1]).toBe('65534\t65534\t65534\t65534');
  expect(/^Groups:\s+(.*)$/m.exec(status)?.[1]?.trim()).toBe('65534');
  for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
    expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'));
  expect(status).toMatch(/^SigIgn:\s+0+$/m);
  expect(status).toMatch(/^SigBlk:\s+0+$/m);
  const descriptors = ['find', '/proc/self/fd', '-mindepth', '1', '-fprintf', `${out}/fds`, '%f %l\\n'];
  expect(await runIn(runner, descriptors)).toEqual({ kind: 'exited', status: 0 });
  expect(textOf('fds')).toMatch(/^0 \/dev\/null\n1 \/dev\/null\n2 \/dev\/null\n/);
  expect(textOf('fds')).not.toMatch(/pipe:|socket:|anon_inode:/);
  const [pid, group, session] = textOf('ids').trim().split(' ');
  expect([group, session]).toEqual([pid, pid]);
});

rootTest('it inherits the environment, without what is said to the director alone', async () => {
  process.env.NOTIFY_SOCKET = '/run/test';
  process.env.UVS_TEST_WORD = 'seen';
  try {
    expect(await runIn(createRunner(), sh(`env > ${out}/env`))).toEqual({ kind: 'exited', status: 0 });
  } finally {
    delete process.env.NOTIFY_SOCKET;
    delete process.env.UVS_TEST_WORD;
  }
  expect(textOf('env')).toContain('UVS_TEST_WORD=seen');
  expect(textOf('env')).not.toContain('NOTIFY_SOCKET');
});

rootTest('what it writes is nobody else’s to read, as with keepalived', async () => {
  expect(await runIn(createRunner(), sh(`umask > ${out}/umask`))).toEqual({ kind: 'exited', status: 0 });
  expect(textOf('umask')).toBe('0177\n');
});

rootTest('</path tests whether the account can open a file', async () => {
  const runner = createRunner();
  const open = script('open', '', 0o644);
  const closed = script('closed', '', 0o600);
  expect(await runIn(runner, [`<${open}`])).toEqual({ kind: 'exited', status: 0 });
  expect(await runIn(runner, ['<', open])).toEqual({ kind: 'exited', status: 0 });
  expect(await runIn(runner, [`<${closed}`])).toMatchObject({ kind: 'exited', status: expect.any(Number) });
  expect(await runIn(runner, [`<${closed}`])).not.toEqual({ kind: 'exited', status: 0 });
});

rootTest(
  'whom it runs as: its own account, else script_user, else keepalived_script, else root',
  async () => {
    const passwd = 'root:x:0:0::/:/bin/sh\nkeepalived_script:x:61234:61234::/:/bin/sh\n';
    const withDefault = createRunner({ accounts: () => ({ passwd, group: '' }) });
    const without = createRunner();
    const whoAmI = async (runner: ProcessScriptRunner, account: Account | undefined, policy = noPolicy) => {
      rmSync(join(out, 'uid'), { force: true });
      const end = await new Promise<ScriptEnd>((resolve) =>
        runner.run({ words: sh(`id -u > ${out}/uid`), account }, policy, 'dies', resolve),
      );
      return end.kind === 'exited' ? Number(textOf('uid')) : end;
    };
    expect(await whoAmI(withDefault, { user: '61235', group: '1' }, secure)).toBe(61235);
    expect(
      await whoAmI(withDefault, undefined, { ...noPolicy, account: { user: '61236', group: '1' } }),
    ).toBe(61236);
    expect(await whoAmI(withDefault, undefined)).toBe(61234);
    expect(await whoAmI(without, undefined)).toBe(0);
    expect(await whoAmI(without, undefined, { ...noPolicy, account: root })).toBe(0);
    const gone = { ...noPolicy, account: { user: 'gone', group: undefined } };
    expect(without.inspect({ words: ['/bin/true'], account: undefined }, gone)).toEqual({
      why: 'would run as gone, which is no account in /etc/passwd',
      remedy: 'create the account, or name another',
    });
  },
);

rootTest('root runs unasked what root alone can change, and nothing else', async () => {
  const joes = createRunner({
    accounts: () => ({ passwd: 'joe:x:61237:61237::/:\n', group: 'staff:x:50:\n' }),
  });
  const path = script('unasked', '#!/bin/sh\nexit 0\n');
  const look = (...words: string[]) => joes.inspect({ words, account: undefined }, noPolicy);
  const refusal = (who: string, remedy: string) => ({
    why: `has nobody to run as: no account is named, and root does not run it unasked, for ${who}`,
    remedy: `name one by script_user in global_defs, or make an account called keepalived_script; or, for root: ${remedy}`,
  });
  expect(look(path)).toEqual({ runsAs: 'root' });

  chownSync(path, 61237, 0);
  const [belongs, chown] = [`${path} belongs to joe`, `chown root ${path}`];
  expect(look(path)).toEqual(refusal(belongs, chown));
  expect(await runIn(joes, [path], noPolicy)).toMatchObject({ kind: 'not-run' });
  // An interpreter is a safe program; what it is told to run is not.
  expect(look('/bin/sh', path)).toEqual(refusal(belongs, chown));
  expect(look('/usr/bin/env', 'sh', '-e', path)).toEqual(refusal(belongs, chown));
  expect(look('/bin/cat', path)).toEqual({ runsAs: 'root' });
  expect(look(`<${path}`)).toEqual({ runsAs: 'root' });

  chownSync(path, 0, 50);
  chmodSync(path, 0o775);
  expect(look(path)).toEqual(refusal(`${path} can be changed by the group staff`, `chmod go-w ${path}`));
  chmodSync(path, 0o757);
  expect(look(path)).toEqual(refusal(`${path} can be changed by everybody`, `chmod go-w ${path}`));

  chmodSync(path, 0o755);
  chownSync(folder, 61237, 0);
  try {
    expect(look(path)).toEqual(refusal(`${folder} belongs to joe`, `chown root ${folder}`));
    // Whoever names root has said so.
    expect(joes.inspect({ words: [path], account: { user: '0', group: '0' } }, noPolicy)).toEqual({
      runsAs: '0',
    });
  } finally {
    chownSync(folder, 0, 0);
  }
  log.take();
});

rootTest('the interpreter that a first line names: it is there, and root alone can change it', async () => {
  const runner = createRunner({
    accounts: () => ({ passwd: 'root:x:0:0::/:\njoe:x:61237:61237::/:\n', group: '' }),
  });
  const look = (path: string, policy = noPolicy) =>
    runner.inspect({ words: [path], account: undefined }, policy);
  const own = script('interpreter', '#!/bin/sh\nexit 0\n');
  const path = script('interpreted', `#! ${own} -x\n`);
  expect(look(path)).toEqual({ runsAs: 'root' });
  chownSync(own, 61237, 0);
  expect(look(path)).toMatchObject({ why: expect.stringMatching(`unasked, for ${own} belongs to joe$`) });
  expect(look(path, secure)).toMatchObject({
    why: expect.stringMatching(`^is refused by enable_script_security: .*${own} belongs to joe$`),
  });
  // By way of a second script.
  expect(look(script('twice', `#!${path}\n`))).toMatchObject({
    why: expect.stringContaining('belongs to joe'),
  });

  const gone = script('gone', '#!/usr/bin/perl7.9 -w\n');
  expect(look(gone)).toEqual({
    why: 'can not be run: there is no interpreter /usr/bin/perl7.9 (/usr/bin/perl7.9: no such file or directory)',
    remedy: `correct the first line of ${gone}, or install what it names`,
  });
  const pasted = script('pasted', '#!/usr/bin/env sh\r\nexit 0\r\n');
  expect(look(pasted)).toEqual({
    why: `can not be run: the lines of ${pasted} end in CR LF, so its interpreter is not found`,
    remedy: `sed -i 's/\\r$//' ${pasted}`,
  });
  expect(await runIn(runner, [pasted], noPolicy)).toMatchObject({ kind: 'not-run' });
  log.take();
});

test('without the right to change accounts only its own account is left, and the remedy is said', () => {
  const runner = createRunner({ mayChangeAccount: () => false, uid: 65534, gid: 65534 });
  const words = ['/bin/true'];
  expect(runner.inspect({ words, account: somebody }, noPolicy)).toEqual({ runsAs: '65534' });
  expect(runner.inspect({ words, account: { user: '7', group: '7' } }, noPolicy)).toEqual({
    why: 'can not be run as 7: the director may not change accounts',
    remedy: 'give it CAP_SETUID and CAP_SETGID (in systemd: AmbientCapabilities, CapabilityBoundingSet)',
  });
});

rootTest(
  'script security refuses what others than root can change, and looks again right before each run',
  async () => {
    const runner = createRunner();
    const path = script('secure', '#!/bin/sh\nexit 0\n');
    const command = { words: [path], account: undefined };
    const refusal = (what: string, how: string, remedy: string) => ({
      why: `is refused by enable_script_security: it runs as root, and ${what} ${how}`,
      remedy: `${remedy} ${what}`,
    });
    const asRoot = { runsAs: 'root' };
    expect(runner.inspect(command, secure)).toEqual(asRoot);

    chmodSync(path, 0o757);
    expect(runner.inspect(command, secure)).toEqual(
      refusal(path, 'can be changed by everybody', 'chmod go-w'),
    );
    expect(runner.inspect({ ...command, account: somebody }, secure)).toEqual({ runsAs: '65534' });
    expect(await runIn(runner, [path], secure)).toMatchObject({ kind: 'not-run' });
    expect(runner.inspect(command, { ...secure, isSecure: false })).toEqual(asRoot);
    expect(log.take()).toEqual([
      expect.stringContaining(
        `warn a script is not safe: it runs as root, and ${path} can be changed by everybody`,
      ),
    ]);

    chmodSync(path, 0o755);
    chownSync(path, 65534, 0);
    expect(runner.inspect(command, secure)).toEqual(refusal(path, 'belongs to 65534', 'chown root'));
    chownSync(path, 0, 0);
    chownSync(folder, 65534, 0);
    try {
      expect(runner.inspect(command, secure)).toEqual(refusal(folder, 'belongs to 65534', 'chown root'));
    } finally {
      chownSync(folder, 0, 0);
    }
    expect(await runIn(runner, [path], secure)).toEqual({ kind: 'exited', status: 0 });
  },
);

rootTest(
  'an end is SIGTERM for all that it started, and SIGKILL for what is left a second later',
  async () => {
    const runner = createRunner();
    const gentle = await startStayer(runner, 'gentle', 'dies');
    gentle.run.end();
    await vi.waitFor(() => expect(gentle.ends).toEqual([{ kind: 'signalled', signal: 'SIGTERM' }]), patient);
    const stubborn = await startStayer(runner, 'stubborn', 'dies', true);
    stubborn.run.end();
    stubborn.run.end();
    await vi.waitFor(
      () => expect(stubborn.ends).toEqual([{ kind: 'signalled', signal: 'SIGKILL' }]),
      patient,
    );
    for (const pid of [...gentle.pids, ...stubborn.pids])
      await vi.waitFor(() => expect(isAlive(pid)).toBe(false), patient);
  },
);

rootTest('a program that leaves a child behind has ended; the child is its own business', async () => {
  const runner = createRunner();
  const lines = `sleep 1000 & echo $! > ${out}/left`;
  expect(await runIn(runner, sh(lines))).toEqual({ kind: 'exited', status: 0 });
  const left = Number(textOf('left'));
  expect(isAlive(left)).toBe(true);
  process.kill(left, 'SIGKILL');
});

rootTest('a stop ends what dies with the director, and leaves the rest', async () => {
  const runner = createRunner();
  const dying = await startStayer(runner, 'dying', 'dies', true);
  const living = await startStayer(runner, 'living', 'outlives');
  await runner.stop();
  expect(dying.pids.map(isAlive)).toEqual([false, false]);
  expect(living.pids.map(isAlive)).toEqual([true, true]);
  for (const pid of living.pids) process.kill(pid, 'SIGKILL');
  expect(await runIn(runner, ['/bin/true'])).toMatchObject({ kind: 'inconclusive' });
});

rootTest(
  'when the launcher dies, nothing is concluded, nothing stays, and the next program finds a new one',
  async () => {
    const runner = createRunner();
    const { ends, pids } = await startStayer(runner, 'orphan', 'dies');
    const [parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pids[0]}/status`, 'utf8'))?.slice(1) ?? [];
    process.kill(Number(parent), 'SIGKILL');
    await vi.waitFor(() => expect(ends).toMatchObject([{ kind: 'inconclusive' }]), patient);
    expect(log.take()).toEqual(['error the process that starts scripts is gone: it ended by SIGKILL']);
    await vi.waitFor(() => expect(isAlive(pids[0] ?? 0)).toBe(false), patient);
    expect(await runIn(runner, ['/bin/true'])).toEqual({ kind: 'exited', status: 0 });
  },
);

test('without a launcher nothing runs, and that is said', async () => {
  const runner = createRunner({ mayChangeAccount: () => true }, join(folder, 'no-launcher'));
  expect(await runIn(runner, ['/bin/true'])).toMatchObject({ kind: 'inconclusive' });
  expect(log.take()).toEqual([
    expect.stringMatching(/^error the process that starts scripts is gone: .*ENOENT/),
  ]);
});

const built = join(process.cwd(), 'build/addon/Release/uvs-launcher');

rootTest("root without CAP_KILL still ends another account's program", async () => {
  const launcher = script('no-kill', `#!/bin/sh\nexec setpriv --bounding-set=-kill -- ${built}\n`);
  const { run, ends } = await startStayer(createRunner({}, launcher), 'unkillable', 'dies', true);
  run.end();
  await vi.waitFor(() => expect(ends).toEqual([{ kind: 'signalled', signal: 'SIGKILL' }]), patient);
});

rootTest('a director that is not root passes none of its capabilities on', async () => {
  const capabilities = '+setuid,+setgid,+net_admin';
  const become = `--reuid=61000 --regid=61000 --clear-groups --inh-caps=${capabilities} --ambient-caps=${capabilities}`;
  const launcher = script('as-somebody', `#!/bin/sh\nexec setpriv ${become} -- ${built}\n`);
  const runner = createRunner({ uid: 61000, gid: 61000, mayChangeAccount: () => true }, launcher);
  for (const account of [somebody, { user: '61000', group: '61000' }]) {
    expect(
      await runIn(runner, sh(`cat /proc/self/status > ${out}/ambient`), { ...noPolicy, account }),
    ).toEqual({
      kind: 'exited',
      status: 0,
    });
    const status = textOf('ambient');
    expect(status).toMatch(new RegExp(`^Uid:\\s+${account.user}\\s`, 'm'));
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
      expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'));
    rmSync(join(out, 'ambient'));
  }
  const inherited = script(
    'no-rights',
    `#!/bin/sh\nexec setpriv --reuid=61000 --regid=61000 --clear-groups -- ${built}\n`,
  );
  const powerless = createRunner({ mayChangeAccount: () => true }, inherited);
  expect(await runIn(powerless, ['/bin/true'])).toEqual({
    kind: 'not-run',
    why: 'could not be started: becoming 65534: operation not permitted',
  });
});
