// Scripts and FIFOs of a director on real devices: the live keepalived and the director say the same for the same
// configuration, and a director that is killed leaves no script behind but those that tell of changes.

import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  block,
  Director,
  failoverNeeds,
  type Host,
  Keepalived,
  Lab,
  type Notice,
  parseNotices,
  routerText,
  runOk,
  topologies,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

/** A script that runs everywhere in the lab. */
function script(host: Host, name: string, text: string): string {
  const path = host.writeFile(name, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []);

/** A daemon, as this test sees it. */
type Teller = {
  /** What its FIFO has said. */
  told(): readonly Notice[];
  stop(): Promise<unknown>;
};

async function startDirector(host: Host, config: string): Promise<Teller> {
  const fifo = host.file('director.fifo');
  await runOk(['mkfifo', fifo]);
  const reader = host.spawn(['sh', '-c', 'exec cat <>"$1"', 'notices', fifo], { name: 'notices' });
  const director = await Director.start(
    host,
    `${block('global_defs', [`vrrp_notify_fifo ${fifo}`])}\n${config}`,
  );
  return { told: () => parseNotices(reader.output()), stop: () => director.stop() };
}

requires(...failoverNeeds, 'launcher').describe('scripts', () => {
  test('keepalived and the director tell the same, by FIFO and by scripts', async () => {
    await using lab = await Lab.create(topologies.dr({ hasVip: false, servers: 1 }));
    const host = lab.host('director');
    const good = host.file('good');
    const life = async (name: string, start: (host: Host, config: string) => Promise<Teller>) => {
      const record = host.file(`${name}.record`);
      const recorder = script(host, `${name}.sh`, `echo "$@" >> ${record}`);
      const notify = ['master', 'backup', 'fault'].map((state) => `notify_${state} "${recorder} ${state}"`);
      const config = [
        block('global_defs', ['script_user root']),
        block('vrrp_script good', [`script "/usr/bin/test -e ${good}"`, 'interval 1']),
        routerText({
          priority: 90,
          addresses: ['10.1.0.100'],
          lines: [block('track_script', ['good']), ...notify, `notify "${recorder} 'any thing'"`],
        }),
      ].join('\n');
      writeFileSync(good, '');
      const teller = await start(host, config);
      const reach = (...states: readonly string[]) =>
        waitFor(
          `${name} to say ${states.join(' ')}`,
          () => states.every((state, i) => teller.told()[i]?.state === state),
          {
            timeout_s: 20,
            detail: () => JSON.stringify(teller.told()),
          },
        );
      await reach('BACKUP', 'MASTER');
      rmSync(good);
      await reach('BACKUP', 'MASTER', 'FAULT');
      writeFileSync(good, '');
      await reach('BACKUP', 'MASTER', 'FAULT', 'BACKUP', 'MASTER');
      await waitFor(`${name}'s scripts`, () => linesOf(record).length === 10);
      await teller.stop();
      await reach('BACKUP', 'MASTER', 'FAULT', 'BACKUP', 'MASTER', 'STOP');
      return { told: teller.told(), scripts: linesOf(record).slice(0, 10).sort() };
    };
    const theirs = await life('keepalived', (where, config) => Keepalived.start(where, config));
    const ours = await life('director', startDirector);
    expect(ours).toEqual(theirs);
  });

  test('SIGKILL: scripts that track and read FIFOs end, one that tells of a change goes on', async () => {
    await using lab = await Lab.create(topologies.dr({ hasVip: false, servers: 1 }));
    const host = lab.host('director');
    const pidFile = (name: string) => host.file(`${name}.pid`);
    const stayer = (name: string) =>
      script(host, `${name}.sh`, `echo $$ > ${pidFile(name)}\nexec sleep 1000`);
    const go = host.file('go');
    const told = host.file('told');
    const slow = script(
      host,
      'slow.sh',
      `echo $$ > ${pidFile('slow')}\nuntil [ -e ${go} ]; do sleep 0.1; done\necho "$@" > ${told}`,
    );
    const config = [
      block('global_defs', [
        'script_user root',
        `vrrp_notify_fifo ${host.file('fifo')}`,
        `vrrp_notify_fifo_script "${stayer('reader')}"`,
      ]),
      block('vrrp_script stays', [
        `script "${stayer('tracker')}"`,
        'interval 100',
        'timeout 100',
        'weight 5',
      ]),
      routerText({
        priority: 90,
        addresses: ['10.1.0.100'],
        lines: [block('track_script', ['stays']), `notify_master "${slow} master"`],
      }),
    ].join('\n');
    const director = await Director.start(host, config);
    const pids = await waitFor('all scripts to run', () => {
      const found = ['reader', 'tracker', 'slow'].map((name) => Number(readFileSync(pidFile(name), 'utf8')));
      return found.every((pid) => pid > 0) ? found : undefined;
    });
    await director.kill();
    const isAlive = (pid: number | undefined) => {
      const status = existsSync(`/proc/${pid}/status`)
        ? readFileSync(`/proc/${pid}/status`, 'utf8')
        : 'State:\tX';
      return !/^State:\s+[XZ]/m.test(status);
    };
    await waitFor('reader and tracker to end', () => !isAlive(pids[0]) && !isAlive(pids[1]));
    expect(isAlive(pids[2])).toBe(true);
    writeFileSync(go, '');
    await waitFor('the notify script to finish', () => linesOf(told)[0] === 'master');
  });
});
