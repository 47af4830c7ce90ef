// uvs and Debian's keepalived as directors of one virtual IP: election, priority change, takeover and return, with real
// clients, in v2 with a password. The other kinds of adverts, and a longer way, are in matrix/.

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { Director, directorText, failoverNeeds, Keepalived, Pair, vip } from '../support/lab/index.js';
import { requires } from '../support/require.js';
import { runCycle } from './failover-cycle.js';
import { keepalivedPeer } from './failover-peers.js';

const { test } = requires(...failoverNeeds);

test('v2 with a password: election, priority change, takeover and return', async () => {
  await using pair = await Pair.create();
  const routers = [{ version: 2, password: 'lab', addresses: [`${vip}/32 dev eth0`] }] as const;
  await runCycle({ pair, routers, startPeer: keepalivedPeer(pair, routers), patience_s: 10 });
  const said = await pair.adverts.adverts();
  for (const source of ['10.1.0.2', '10.1.0.3']) {
    const own = said.filter((advert) => advert.source === source);
    expect(own.length, await pair.adverts.tail()).toBeGreaterThan(2);
    expect(own.every(({ version, ttl, auth }) => version === 2 && ttl === 255 && auth === 'lab')).toBe(true);
    expect(own.some(({ priority }) => priority === 0)).toBe(true);
  }
});

test('notify scripts and the FIFO say the same as keepalived’s', async () => {
  await using pair = await Pair.create();
  const heard = [pair.a, pair.b].map((host) => host.file('heard'));
  const router = (priority: number, script: string) => ({
    priority,
    version: 3 as const,
    interval_s: 0.2,
    addresses: [`${vip}/32 dev eth0`],
    lines: [
      `notify "${script} any"`,
      ...['master', 'backup', 'fault', 'stop'].map((state) => `notify_${state} "${script} ${state}"`),
    ],
  });
  const script = (host: typeof pair.a, file: string) => {
    const path = host.writeFile('notify.sh', `#!/bin/sh\necho "$@" >>${file}\n`);
    return host.exec(['chmod', '755', path]).then(() => path);
  };
  const scripts = [await script(pair.a, heard[0] ?? ''), await script(pair.b, heard[1] ?? '')] as const;
  const head = 'global_defs {\n    script_user root\n}\n';
  const life = async (peer: Director | Keepalived, device: string) => {
    await peer.waitForState('VI_1', 'MASTER');
    await peer.host.ip(`link set ${device} down`);
    await peer.waitForState('VI_1', 'FAULT');
    await peer.host.ip(`link set ${device} up`);
    await peer.waitForState('VI_1', 'MASTER');
    await peer.stop();
  };
  // One after the other, each alone.
  await life(await Director.start(pair.a, directorText([router(100, scripts[0])], { head })), 'eth0');
  await life(
    await Keepalived.start(
      pair.b,
      `${head}${directorText([router(100, scripts[1])]).split('virtual_server')[0]}`,
    ),
    'eth0',
  );
  const lines = heard.map((file) => readFileSync(file, 'utf8').trimEnd().split('\n'));
  // Two scripts of one change start together: which of them writes first is chance.
  const inPairs = (all: readonly string[] = []) =>
    Array.from({ length: Math.ceil(all.length / 2) }, (_, i) => all.slice(2 * i, 2 * i + 2).sort());
  expect(inPairs(lines[0])).toEqual(inPairs(lines[1]));
  expect(lines[1]).toContain('any INSTANCE VI_1 MASTER 100');
});
