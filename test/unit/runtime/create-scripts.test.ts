// A director with real scripts and a real FIFO, everything else in memory: what is tracked moves the virtual router, and
// whatever happens to it and to servers is told.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import { MemoryNetwork } from '../../../src/dataplane/memory-network.js';
import { MemoryWire } from '../../../src/dataplane/memory-wire.js';
import { seconds } from '../../../src/model/units.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { Director } from '../../../src/runtime/director.js';
import { FakeProbes } from '../../support/fake-probes.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';
import { requires } from '../../support/require.js';
import { ip } from '../vrrp/fixtures.js';

const { test: rootTest } = requires('root', 'launcher');
let folder: string;
let fifo: string;
let fd: number;
let clock: ManualClock;
let log: RecordingLog;
let probes: FakeProbes;
let director: Director | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'uvs-told-'));
  chmodSync(folder, 0o755);
  fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  writeFileSync(join(folder, 'notify'), `#!/bin/sh\necho "$@" >> ${folder}/notified\n`, { mode: 0o755 });
  clock = new ManualClock();
  log = new RecordingLog();
  probes = new FakeProbes();
  director = undefined;
});

afterEach(async () => {
  await stop();
  closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

const server = `
  virtual_server 10.0.0.100 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    delay_loop 1
    real_server 10.1.0.1 80 {
      TCP_CHECK {
        retry 0
        warmup 0
      }
    }
  }`;

const virtualRouter = () => `
  vrrp_script good {
    script "/usr/bin/test -e ${folder}/good"
    interval 1
  }
  vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
      10.0.0.100
    }
    track_script {
      good
    }
    notify "${folder}/notify own"
    notify_stop "${folder}/notify stop"
  }`;

async function start(text: string): Promise<void> {
  const links = [{ name: 'eth0', addresses: [{ address: ip('10.0.0.7'), length: 24 }] }];
  director = createDirector(
    { configText: `global_defs {\n script_user root\n notify_fifo ${fifo}\n}\n${text}\n${server}` },
    {
      dataplane: new MemoryDataplane(),
      network: new MemoryNetwork({ clock, wire: new MemoryWire(clock), links }),
      clock,
      log,
      probes: probes.probes,
      random: () => 0.5,
    },
  );
  await director.start();
}

/** The clock stands: scripts have all the time they need, and nothing else may need any. */
async function stop(): Promise<void> {
  await director?.stop();
  director = undefined;
}

let heard = '';

/** Everything the FIFO has said is these lines, once time has passed. */
async function hear(...lines: readonly string[]): Promise<void> {
  const buffer = Buffer.alloc(65_536);
  await vi.waitFor(
    async () => {
      await clock.advance(seconds(0.1));
      try {
        heard += buffer.toString('utf8', 0, readSync(fd, buffer));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      }
      expect(heard).toBe(lines.map((line) => `${line}\n`).join(''));
    },
    { timeout: 20_000, interval: 5 },
  );
  heard = '';
}

rootTest('tracked scripts, notify scripts and FIFO through the life of a director', async () => {
  await start(virtualRouter());
  await hear('INSTANCE "VI_1" FAULT 100');
  writeFileSync(join(folder, 'good'), '');
  await hear('INSTANCE "VI_1" BACKUP 100', 'INSTANCE "VI_1" MASTER 100');
  probes.dead.add('10.1.0.1:80');
  await hear('RS [10.1.0.1]:tcp:80 [10.0.0.100]:tcp:80 DOWN', 'VS [10.0.0.100]:tcp:80 DOWN');
  probes.dead.clear();
  await hear('RS [10.1.0.1]:tcp:80 [10.0.0.100]:tcp:80 UP', 'VS [10.0.0.100]:tcp:80 UP');
  rmSync(join(folder, 'good'));
  await hear('INSTANCE "VI_1" FAULT 100');
  await stop();
  await hear('INSTANCE "VI_1" STOP 100');
  expect(readFileSync(join(folder, 'notified'), 'utf8').split('\n')).toEqual([
    'own INSTANCE VI_1 FAULT 100',
    'own INSTANCE VI_1 BACKUP 100',
    'own INSTANCE VI_1 MASTER 100',
    'own INSTANCE VI_1 FAULT 100',
    'stop',
    'own INSTANCE VI_1 STOP 100',
    '',
  ]);
  expect(existsSync(fifo)).toBe(true);
});

rootTest('without virtual routers FIFOs hear of servers', async () => {
  await start('');
  probes.dead.add('10.1.0.1:80');
  await hear('RS [10.1.0.1]:tcp:80 [10.0.0.100]:tcp:80 DOWN', 'VS [10.0.0.100]:tcp:80 DOWN');
});
