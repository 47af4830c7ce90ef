// What keepalived 2.2.7 said by scripts and FIFO in the life of four virtual routers and a sync group (start, fault,
// takeover, a losing and a winning master, a reload that deletes two, stop), said again by ours, word for word.

import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  type FailoverConfig,
  type NotifyScripts,
  noFailover,
  noNotifyScripts,
} from '../../src/model/failover-config.js';
import { Notifications, type NotifyState } from '../../src/runtime/scripts/notifier.js';
import { FakeScriptRunner } from '../support/fake-script-runner.js';
import { ManualClock } from '../support/manual-clock.js';
import { RecordingLog } from '../support/recording-log.js';
import { router } from '../unit/vrrp/fixtures.js';

type Said = {
  readonly event: readonly ['INSTANCE' | 'GROUP', string, NotifyState, number];
  readonly line: string;
  /** In the order in which keepalived started them. */
  readonly scripts: readonly string[];
};
type Recording = { readonly steps: readonly { readonly what: string; readonly said: readonly Said[] }[] };

const recording = JSON.parse(
  readFileSync(new URL('notifications.json', import.meta.url), 'utf8'),
) as Recording;

const folder = mkdtempSync(join(tmpdir(), 'uvs-golden-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As the recorded configuration had them. */
function notify(scripts: Partial<Record<keyof NotifyScripts, string>>): NotifyScripts {
  const commands = Object.entries(scripts).map(([name, text]) => [
    name,
    { words: text.split(' '), account: undefined },
  ]);
  return { ...noNotifyScripts, notifiesPriority: true, ...Object.fromEntries(commands) };
}

const origin = { file: 'recorded', line: 1, column: 1 };
const instance = (name: string, scripts: Parameters<typeof notify>[0]) => ({
  router: router({ name }),
  notify: notify(scripts),
  origin,
});

function recordedConfig(fifo: string): FailoverConfig {
  return {
    ...noFailover,
    routers: [
      instance('VI_1', {
        any: 'notify a b',
        master: 'master x',
        backup: 'backup',
        fault: 'fault',
        stop: 'stop',
        deleted: 'deleted',
        masterRxLowerPriority: 'rxlower',
      }),
      instance('VI_2', { any: 'notify2' }),
      instance('VI_3', {
        any: 'notify3',
        master: 'master3',
        backup: 'backup3',
        fault: 'fault3',
        stop: 'stop3',
        deleted: 'deleted3',
        masterRxLowerPriority: 'rxlower3',
      }),
      instance('VI_4', { any: 'notify4', fault: 'fault4', stop: 'stop4' }),
    ],
    groups: [
      {
        group: { name: 'G', members: ['VI_1', 'VI_2'], tracks: [], hasMemberWeights: false },
        notify: notify({
          any: 'gnotify',
          master: 'gmaster x',
          backup: 'gbackup',
          fault: 'gfault',
          stop: 'gstop',
        }),
        origin,
      },
    ],
    fifos: [{ hears: 'vrrp', path: fifo, account: undefined, script: undefined }],
  };
}

test('scripts and FIFO hear what keepalived says', async () => {
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const runner = new FakeScriptRunner();
  const notifications = new Notifications({ clock: new ManualClock(), log: new RecordingLog(), runner });
  const config = recordedConfig(path);
  notifications.configure(config);

  const heard = recording.steps.map(({ what, said }) => {
    // The runner puts the new configuration in force before or after it says what is gone.
    const left = config.routers.filter(({ router: { name } }) => name === 'VI_1' || name === 'VI_2');
    if (what.startsWith('reload')) notifications.configure({ ...config, routers: left });
    return {
      what,
      said: said.map(({ event }) => {
        const [kind, name, state, priority] = event;
        if (kind === 'GROUP') notifications.groupChanged(name, state);
        else notifications.routerChanged(name, state, priority);
        return { event, line: lineFrom(reader), scripts: scriptsOf(runner) };
      }),
    };
  });
  await notifications.stop();
  closeSync(reader);
  expect(heard).toEqual(recording.steps);
});

function lineFrom(fd: number): string {
  const buffer = Buffer.alloc(4096);
  const text = buffer.toString('utf8', 0, readSync(fd, buffer));
  expect(text.endsWith('\n')).toBe(true);
  return text.slice(0, -1);
}

/** Lets everything run to its end that was started for one event. */
function scriptsOf(runner: FakeScriptRunner): string[] {
  const before = runner.started.length;
  const first = before - runner.running.length;
  while (runner.running.length > 0) runner.exit(0);
  return runner.started.slice(first);
}
