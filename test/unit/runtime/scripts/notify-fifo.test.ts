// FIFOs on a real file system: made and removed, owner and mode, without a reader, full, in the way of something else.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type FailoverConfig,
  type Fifo,
  noFailover,
  noNotifyScripts,
} from '../../../../src/model/failover-config.js';
import { seconds } from '../../../../src/model/units.js';
import { Catcher } from '../../../../src/runtime/catcher.js';
import { Notifications } from '../../../../src/runtime/scripts/notifier.js';
import { thisMachine } from '../../../../src/runtime/scripts/script-machine.js';
import { ProcessScriptRunner, type ScriptRunner } from '../../../../src/runtime/scripts/script-runner.js';
import { FakeScriptRunner } from '../../../support/fake-script-runner.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLog } from '../../../support/recording-log.js';
import { requires } from '../../../support/require.js';
import { ip, router } from '../../vrrp/fixtures.js';

const patient = { timeout: 10_000 };
const { test: rootTest } = requires('root', 'launcher');
let folder: string;
let path: string;
let log: RecordingLog;
let fake: FakeScriptRunner;
let catcher: Catcher;
let clock: ManualClock;
let opened: { readonly notifications: Notifications; readonly runner: ScriptRunner }[];
let readers: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'uvs-fifo-'));
  chmodSync(folder, 0o755);
  path = join(folder, 'fifo');
  log = new RecordingLog();
  fake = new FakeScriptRunner();
  clock = new ManualClock();
  catcher = new Catcher(clock, log);
  opened = [];
  readers = [];
});

afterEach(async () => {
  for (const { notifications, runner } of opened) {
    await end(notifications);
    if (runner instanceof ProcessScriptRunner) await runner.stop();
  }
  for (const fd of readers) closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

const accounts = () => ({ passwd: 'root:x:0:0::/:/bin/sh\nreader:x:65533:65532::/:/bin/sh\n', group: '' });

function create(runner: ScriptRunner = fake): Notifications {
  const machine = { ...thisMachine, accounts };
  const notifications = new Notifications({ clock, log, runner, machine });
  opened.push({ notifications, runner });
  return notifications;
}

/** Stops it while time passes. */
async function end(notifications: Notifications): Promise<void> {
  const stopped = notifications.stop();
  await clock.advance(seconds(2));
  await stopped;
}

const origin = { file: 'test', line: 1, column: 1 };
const script = { words: ['/bin/reader', 'a'], account: undefined };

function configOf(fifo: Partial<Fifo> = {}, changes: Partial<FailoverConfig> = {}): FailoverConfig {
  const notify = { ...noNotifyScripts, notifiesPriority: true };
  const quiet = { ...noNotifyScripts, notifiesPriority: false };
  const routers = [
    { router: router({ name: 'VI_1' }), notify, origin },
    { router: router({ name: 'VI_2' }), notify: quiet, origin },
  ];
  const fifos = [{ hears: 'all' as const, path, account: undefined, script: undefined, ...fifo }];
  return { ...noFailover, routers, fifos, ...changes };
}

/** A reader of our own, and a function that gives all that is there. */
function reader(at = path): () => string {
  const fd = openSync(at, constants.O_RDONLY | constants.O_NONBLOCK);
  readers.push(fd);
  const buffer = Buffer.alloc(1 << 20);
  return () => {
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
      throw error;
    }
  };
}

rootTest('it is made for its reader alone, keeps what was said meanwhile, and goes with us', async () => {
  const machine = { ...thisMachine, accounts };
  const notifications = create(new ProcessScriptRunner({ log, catcher, machine }));
  notifications.configure(configOf({ account: { user: 'reader', group: undefined } }));
  notifications.routerChanged('VI_1', 'BACKUP', 100);
  await vi.waitFor(() => expect(existsSync(path)).toBe(true), patient);
  const read = reader();
  await vi.waitFor(() => expect(statSync(path)).toMatchObject({ uid: 65533, gid: 65532 }), patient);
  expect(statSync(path).mode & 0o7777).toBe(0o600);
  await vi.waitFor(() => expect(read()).toBe('INSTANCE "VI_1" BACKUP 100\n'), patient);
  await notifications.stop();
  expect([existsSync(path), log.take()]).toEqual([false, []]);
});

test('one in a directory that nobody can enter is said, loses nothing else, and is tried again by a reload', async () => {
  const loop = join(folder, 'loop');
  symlinkSync(loop, loop);
  const notifications = create();
  const config = configOf({ path: join(loop, 'fifo') });
  notifications.configure(config);
  notifications.routerChanged('VI_1', 'MASTER', 100);
  expect(log.take().join('\n')).toContain('nothing is written to it');
  expect(notifications.lostLineCount).toBe(1);
  rmSync(loop);
  mkdirSync(loop);
  execFileSync('mkfifo', [join(loop, 'fifo')]);
  notifications.configure({ ...config });
  const read = reader(join(loop, 'fifo'));
  notifications.routerChanged('VI_1', 'BACKUP', 100);
  expect(read()).toBe('INSTANCE "VI_1" BACKUP 100\n');
});

rootTest(
  'its script runs as its account with the path behind its own arguments, and ends with the FIFO',
  async () => {
    const out = join(folder, 'out');
    chmodSync(folder, 0o777);
    const lines = `exec > ${out}; echo "$1 $2 $(id -u) $$"; read -r line < "$2"; echo "$line"; sleep 1000`;
    const machine = { ...thisMachine, accounts };
    const notifications = create(new ProcessScriptRunner({ log, catcher, machine }));
    const account = { user: 'reader', group: undefined };
    const words = ['/bin/sh', '-c', lines, 'sh', 'own'];
    notifications.configure(configOf({ account, script: { words, account } }));
    notifications.routerChanged('VI_1', 'MASTER', 100);
    const heard = () =>
      /^own (\S+) 65533 (\d+)\nINSTANCE "VI_1" MASTER 100\n$/.exec(readFileSync(out, 'utf8'));
    await vi.waitFor(() => expect(heard()?.[1]).toBe(path), patient);
    await end(notifications);
    await vi.waitFor(() => expect(existsSync(`/proc/${heard()?.[2]}`)).toBe(false), patient);
  },
);

test('one that is there is used and stays; a reader may be missing, come and go', async () => {
  execFileSync('mkfifo', [path]);
  const notifications = create();
  notifications.configure(configOf());
  notifications.routerChanged('VI_1', 'BACKUP', 100);
  const first = reader();
  expect(first()).toBe('INSTANCE "VI_1" BACKUP 100\n');
  closeSync(readers.pop() ?? -1);
  notifications.routerChanged('VI_1', 'MASTER', 100);
  const second = reader();
  expect(second()).toBe('INSTANCE "VI_1" MASTER 100\n');
  await notifications.stop();
  expect([second(), existsSync(path)]).toEqual(['', true]);
});

test('a full one loses lines, counts them, says it once, and goes on', () => {
  execFileSync('mkfifo', [path]);
  const notifications = create();
  notifications.configure(configOf());
  for (let i = 0; i < 5_000; i++) notifications.routerChanged('VI_1', 'MASTER', 100);
  const lost = notifications.lostLineCount;
  expect(lost).toBeGreaterThan(0);
  expect(log.take()).toEqual([`warn FIFO ${path}: lines are lost: nobody reads it and it is full`]);
  const read = reader();
  expect(read().split('\n')).toHaveLength(5_000 - lost + 1);
  notifications.routerChanged('VI_1', 'BACKUP', 100);
  expect(read()).toBe('INSTANCE "VI_1" BACKUP 100\n');
  expect(log.take()).toEqual([`warn FIFO ${path} is read again lost=${lost}`]);
});

test('each hears what it is for; priorities only where they are asked for', () => {
  const paths = ['all', 'vrrp', 'lvs'].map((name) => join(folder, name));
  execFileSync('mkfifo', paths);
  const fifos = (['all', 'vrrp', 'lvs'] as const).map((hears) => ({
    hears,
    path: join(folder, hears),
    account: undefined,
    script: undefined,
  }));
  const notifications = create();
  notifications.configure(configOf({}, { fifos }));
  notifications.routerChanged('VI_1', 'BACKUP_PRIORITY', 80);
  notifications.routerChanged('VI_2', 'BACKUP_PRIORITY', 80);
  const service = { kind: 'endpoint', protocol: 'tcp', address: ip('10.0.0.1'), port: 80 } as const;
  notifications.serverChanged(service, { address: ip('10.1.0.1'), port: 80 }, false);
  notifications.serviceChanged(service, false);
  const routers = 'INSTANCE "VI_1" BACKUP_PRIORITY 80\n';
  const services = 'RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN\nVS [10.0.0.1]:tcp:80 DOWN\n';
  expect(paths.map((each) => reader(each)())).toEqual([routers + services, routers, services]);
});

test('a reload keeps it open, starts a script again that has ended, and repeats states when asked', async () => {
  execFileSync('mkfifo', [path]);
  const notifications = create();
  notifications.configure(configOf({ script }));
  expect(fake.running).toMatchObject([{ command: { words: ['/bin/reader', 'a', path] }, onOurEnd: 'dies' }]);
  notifications.routerChanged('VI_1', 'MASTER', 100);
  notifications.routerChanged('VI_1', 'MASTER_PRIORITY', 90);
  notifications.routerChanged('VI_2', 'BACKUP', 70);
  notifications.configure(configOf({ script }));
  expect(fake.started).toHaveLength(1);
  fake.exit(0);
  expect(log.take()).toEqual([
    `warn the script of FIFO ${path} has ended result=exit status 0 hint=a reload starts it again`,
  ]);
  const read = reader();
  read();
  notifications.configure(configOf({ script }, { writesStatesOnReload: true }));
  expect(fake.started).toHaveLength(2);
  expect(read()).toBe('INSTANCE "VI_1" MASTER 90\nINSTANCE "VI_2" BACKUP 70\n');
  notifications.routerRenamed('VI_2', 'VI_9');
  notifications.configure(configOf({ script }, { writesStatesOnReload: true }));
  expect(read()).toBe('INSTANCE "VI_1" MASTER 90\nINSTANCE "VI_9" BACKUP 70\n');
  const [again] = fake.running;
  notifications.configure(configOf({}, { fifos: [] }));
  await clock.advance(seconds(0.9));
  expect(again?.endCount).toBe(0);
  await clock.advance(seconds(0.1));
  expect([again?.endCount, existsSync(path)]).toEqual([1, true]);
});

test('a stop lets its script read the last line, and waits no longer than that takes', async () => {
  execFileSync('mkfifo', [path]);
  const notifications = create();
  notifications.configure(configOf({ script }));
  const read = reader();
  notifications.routerChanged('VI_1', 'STOP', 100);
  let isStopped = false;
  const stopped = notifications.stop().then(() => {
    isStopped = true;
  });
  await clock.settle();
  expect([isStopped, read(), read()]).toEqual([false, 'INSTANCE "VI_1" STOP 100\n', '']);
  const [run] = fake.running;
  fake.exit(0);
  await stopped;
  expect([run?.endCount, clock.alarmCount, log.take()]).toEqual([0, 0, []]);
});

test('whatever is no FIFO is left alone, and that is said', () => {
  writeFileSync(path, 'precious');
  const notifications = create();
  notifications.configure(configOf({ script }));
  notifications.routerChanged('VI_1', 'MASTER', 100);
  expect([statSync(path).size, fake.started, notifications.lostLineCount]).toEqual([8, [], 1]);
  expect(log.take()).toEqual([
    `warn FIFO ${path}: there is a file of that name that is no FIFO: remove it; nothing is written to it`,
  ]);
});

test('where none can be made, the reason is said', () => {
  path = join(folder, 'no', 'fifo');
  create().configure(configOf());
  fake.exit(1);
  expect(log.take()).toEqual([
    `warn FIFO ${path}: it can't be made in ${folder}/no: no such file or directory; nothing is written to it`,
  ]);
});
