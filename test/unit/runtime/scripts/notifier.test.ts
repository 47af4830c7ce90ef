// What is said to whom, beyond the recorded life in test/golden: priorities, virtual servers, reloads, stop.

import { beforeEach, expect, test } from 'vitest';
import {
  type FailoverConfig,
  type NotifyScripts,
  noFailover,
  noNotifyScripts,
} from '../../../../src/model/failover-config.js';
import { Notifications, stopBound } from '../../../../src/runtime/scripts/notifier.js';
import { serverLine, serviceLine } from '../../../../src/runtime/scripts/notify-lines.js';
import { FakeScriptRunner } from '../../../support/fake-script-runner.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLog } from '../../../support/recording-log.js';
import { ip, router } from '../../vrrp/fixtures.js';

let clock: ManualClock;
let runner: FakeScriptRunner;
let log: RecordingLog;
let notifications: Notifications;

beforeEach(() => {
  clock = new ManualClock();
  runner = new FakeScriptRunner();
  log = new RecordingLog();
  notifications = new Notifications({ clock, log, runner });
});

const origin = { file: 'test', line: 1, column: 1 };
const command = (text: string) => ({ words: text.split(' '), account: undefined });

function configOf(notify: Partial<NotifyScripts>, changes: Partial<FailoverConfig> = {}): FailoverConfig {
  const routers = [{ router: router({ name: 'VI_1' }), notify: { ...noNotifyScripts, ...notify }, origin }];
  return { ...noFailover, routers, ...changes };
}

test('the script of a state before `notify`, whatever came before first, and strangers not at all', () => {
  notifications.configure(
    configOf({ any: command('any x'), master: command('master'), backup: command('backup') }),
  );
  notifications.routerChanged('VI_1', 'BACKUP', 100);
  notifications.routerChanged('VI_1', 'MASTER', 100);
  notifications.routerChanged('VI_9', 'MASTER', 100);
  notifications.groupChanged('G', 'MASTER');
  const order: string[] = [];
  while (runner.running.length > 0) {
    expect(runner.running).toHaveLength(1);
    order.push(runner.running[0]?.command.words.join(' ') ?? '');
    runner.exit(0);
  }
  expect(order).toEqual([
    'backup',
    'any x INSTANCE VI_1 BACKUP 100',
    'master',
    'any x INSTANCE VI_1 MASTER 100',
  ]);
});

test('a deleted router is told by the configuration before, and its account', () => {
  const scriptPolicy = { account: { user: 'before', group: undefined }, isSecure: true };
  notifications.configure(configOf({ any: command('any'), deleted: command('deleted') }, { scriptPolicy }));
  for (let reload = 0; reload < 2; reload++) notifications.configure(noFailover);
  notifications.routerChanged('VI_1', 'DELETED', 100);
  expect(runner.running).toMatchObject([{ command: { words: ['deleted'] }, policy: scriptPolicy }]);
  runner.exit(0);
  expect(runner.running).toMatchObject([
    { command: { words: ['any', 'INSTANCE', 'VI_1', 'DELETED', '100'] } },
  ]);
});

test('notify_deleted without a script changes the word alone', () => {
  notifications.configure(configOf({ any: command('any'), deleted: { words: [], account: undefined } }));
  notifications.configure(noFailover);
  notifications.routerChanged('VI_1', 'DELETED', 100);
  expect([runner.started, log.take()]).toEqual([['any INSTANCE VI_1 DELETED 100'], []]);
});

test('a stop waits for its scripts, at most so long, and leaves them running', async () => {
  notifications.configure(configOf({ stop: command('stop'), any: command('any') }));
  notifications.routerChanged('VI_1', 'STOP', 100);
  let isStopped = false;
  const stopped = notifications.stop().then(() => {
    isStopped = true;
  });
  runner.exit(0);
  await clock.settle();
  expect([isStopped, runner.running.length]).toEqual([false, 1]);
  await clock.advance(stopBound);
  await stopped;
  expect(runner.running[0]?.endCount).toBe(0);
  expect(log.take()).toEqual(['warn notify scripts still run; the director does not wait for them']);
});

test('lines about virtual servers', () => {
  const service = { kind: 'endpoint', protocol: 'tcp', address: ip('10.0.0.1'), port: 80 } as const;
  expect(serviceLine(service, true)).toBe('VS [10.0.0.1]:tcp:80 UP\n');
  const server = { address: ip('10.1.0.1'), port: 8080 };
  expect(serverLine(service, server, false)).toBe('RS [10.1.0.1]:tcp:8080 [10.0.0.1]:tcp:80 DOWN\n');
  const sixth = { kind: 'endpoint', protocol: 'udp', address: ip('fd00::1'), port: 53 } as const;
  expect(serverLine(sixth, { address: ip('fd00::2'), port: 53 }, true)).toBe(
    'RS [fd00::2]:udp:53 [fd00::1]:udp:53 UP\n',
  );
  const everyPort = { kind: 'any-port', protocol: 'tcp', address: ip('10.0.0.1') } as const;
  expect(serviceLine(everyPort, false)).toBe('VS [10.0.0.1]:tcp:0 DOWN\n');
  expect(serviceLine({ kind: 'mark', mark: 3, family: 4 }, true)).toBe('VS FWM 3 UP\n');
});
