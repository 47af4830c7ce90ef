// The long matrix of uvs with keepalived (`npm run lab:failover`): every way of speaking that both know, each through
// the whole cycle; nopreempt and sync groups on top.

import { expect, test } from 'vitest';
import {
  Director,
  directorText,
  failoverNeeds,
  Keepalived,
  Pair,
  type RouterSpec,
  routerText,
  vip,
  vip6,
} from '../../support/lab/index.js';
import { requires } from '../../support/require.js';
import { runCycle } from '../failover-cycle.js';
import { keepalivedPeer } from '../failover-peers.js';

type Kind = {
  readonly name: string;
  readonly routers: readonly Omit<RouterSpec, 'priority'>[];
  readonly addresses: readonly string[];
  readonly group?: string;
};

const v3 = { version: 3, interval_s: 0.3 } as const;
const v4Line = `${vip}/32 dev eth0`;
const v6Line = `${vip6}/128 dev eth0`;

const kinds: readonly Kind[] = [
  {
    name: 'v2 with a password',
    routers: [{ version: 2, password: 'lab', addresses: [v4Line] }],
    addresses: [vip],
  },
  { name: 'v2 without authentication', routers: [{ version: 2, addresses: [v4Line] }], addresses: [vip] },
  { name: 'v3', routers: [{ ...v3, addresses: [v4Line] }], addresses: [vip] },
  { name: 'v3, IPv6', routers: [{ ...v3, addresses: [v6Line] }], addresses: [vip6] },
  {
    name: 'v2, unicast',
    routers: [{ version: 2, addresses: [v4Line], unicast: { source: '10.1.0.2', peers: ['10.1.0.3'] } }],
    addresses: [vip],
  },
  {
    name: 'v3, unicast, IPv6',
    routers: [{ ...v3, addresses: [v6Line], unicast: { source: 'fd00:1::2', peers: ['fd00:1::3'] } }],
    addresses: [vip6],
  },
  {
    name: 'sync group of both families',
    routers: [
      { ...v3, name: 'V4', addresses: [v4Line] },
      { ...v3, name: 'V6', addresses: [v6Line] },
    ],
    addresses: [vip, vip6],
    group: 'G',
  },
  {
    name: 'virtual MAC',
    routers: [{ ...v3, addresses: [`${vip}/32`], lines: ['use_vmac'] }],
    addresses: [vip],
  },
];

requires(...failoverNeeds).describe('uvs with keepalived', () => {
  test.each(kinds)('$name', async ({ routers, addresses, group }) => {
    await using pair = await Pair.create();
    const grouped = group === undefined ? {} : { group };
    const startPeer = keepalivedPeer(pair, routers, grouped);
    await runCycle({ pair, routers, startPeer, addresses, patience_s: 15, isLong: true, ...grouped });
  });

  test.each(['uvs', 'keepalived'] as const)(
    'nopreempt: %s returns with the higher priority and waits',
    async (who) => {
      await using pair = await Pair.create();
      const spec = { ...v3, addresses: [v4Line] };
      const better = { ...spec, priority: 150, lines: ['nopreempt'] };
      const worse = { ...spec, priority: 100 };
      const start = (kind: 'uvs' | 'keepalived', host: Pair['a'], router: RouterSpec) =>
        kind === 'uvs'
          ? Director.start(host, directorText([router]))
          : Keepalived.start(host, routerText(router));
      const first = await start(who === 'uvs' ? 'keepalived' : 'uvs', pair.b, worse);
      await first.waitForState('VI_1', 'MASTER');
      const second = await start(who, pair.a, better);
      await second.waitForState('VI_1', 'BACKUP');
      // Longer than any preemption would take, measured in adverts that it heard.
      const heard = (await pair.adverts.adverts()).length;
      await expect
        .poll(async () => (await pair.adverts.adverts()).length, { timeout: 20_000 })
        .toBeGreaterThan(heard + 8);
      await second.waitForState('VI_1', 'BACKUP');
      await first.waitForState('VI_1', 'MASTER');
      await first.stop();
      await second.waitForState('VI_1', 'MASTER');
    },
  );

  test('each follows the other’s interval in v3, and both take the list of addresses seriously', async () => {
    await using pair = await Pair.create();
    const uvs = await Director.start(
      pair.a,
      directorText([{ ...v3, interval_s: 0.5, priority: 150, addresses: [v4Line] }]),
    );
    await uvs.waitForState('VI_1', 'MASTER');
    const keepalived = await Keepalived.start(
      pair.b,
      routerText({ ...v3, interval_s: 0.2, priority: 100, addresses: [v4Line] }),
    );
    await keepalived.waitForState('VI_1', 'BACKUP');
    const heard = (await keepalived.stats('VI_1')).advert_rcvd ?? 0;
    await expect
      .poll(async () => (await keepalived.stats('VI_1')).advert_rcvd, { timeout: 10_000 })
      .toBeGreaterThan(heard + 6);
    expect(keepalived.state('VI_1')).toBe('BACKUP');
    await keepalived.stop();

    // One address more: keepalived 2.2.7 refuses such a master and becomes one itself; so does uvs, and says why.
    const other = await Keepalived.start(
      pair.b,
      routerText({ ...v3, priority: 200, addresses: [v4Line, '10.1.0.101/32 dev eth0'] }),
    );
    await other.waitForState('VI_1', 'MASTER');
    await expect
      .poll(async () => (await uvs.router()).counters.rejected.addresses ?? 0, { timeout: 10_000 })
      .toBeGreaterThan(2);
    expect((await uvs.router()).state).toBe('master');
    expect((await other.stats('VI_1')).addr_list_err).toBeGreaterThan(0);
    expect(uvs.log()).toMatch(/10\.1\.0\.3.*addresses/);
  });
});
