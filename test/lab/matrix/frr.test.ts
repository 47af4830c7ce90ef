// The long way of uvs with FRR's vrrpd (`npm run lab:failover`): it gives up, dies and returns, too. And FRR with keepalived
// alone: a failure there is no fault of the director.

import { expect, test } from 'vitest';
import {
  FrrVrrp,
  failoverNeeds,
  type Host,
  Keepalived,
  Lab,
  Meter,
  nowMicros,
  Pair,
  routerText,
  startHttp,
  topologies,
  vip,
  vip6,
} from '../../support/lab/index.js';
import { requires } from '../../support/require.js';
import { runCycle } from '../failover-cycle.js';
import { frrPeer } from '../failover-peers.js';

const fast = { version: 3, interval_s: 0.2 } as const;

requires(...failoverNeeds).describe('FRR', () => {
  test.each([0.3, 1])('uvs with FRR, v3 in both families, advert_int %d', async (interval_s) => {
    await using pair = await Pair.create();
    const common = { version: 3, interval_s } as const;
    const routers = [
      { ...common, name: 'V4', addresses: [`${vip}/32 dev eth0`] },
      { ...common, name: 'V6', addresses: [`${vip6}/128 dev eth0`] },
    ];
    const startPeer = frrPeer(pair, routers);
    await runCycle({ pair, routers, startPeer, addresses: [vip, vip6], patience_s: 15, isLong: true });
  });

  test('uvs with FRR: one virtual MAC for both', async () => {
    await using pair = await Pair.create();
    const routers = [{ ...fast, addresses: [`${vip}/32`], lines: ['use_vmac'] }];
    const startPeer = frrPeer(pair, routers);
    await runCycle({ pair, routers, startPeer, addresses: [vip], patience_s: 15, isLong: true });
    const macs = new Set((await pair.adverts.adverts()).map(({ sourceMac }) => sourceMac));
    expect([...macs]).toEqual(['00:00:5e:00:01:33']);
  });

  test('FRR and keepalived alone, v3 in both families: election, priority, takeover, return', async () => {
    await using lab = await Lab.create(topologies.twoDirectors('DR', { servers: 0 }));
    const [client, a, b] = ['client', 'director-a', 'director-b'].map((name) => lab.host(name)) as [
      Host,
      Host,
      Host,
    ];
    await startHttp(a);
    await startHttp(b);
    const spec = { ...fast, priority: 150 };
    const text = [
      routerText({ ...spec, name: 'V4', addresses: [`${vip}/32 dev eth0`] }),
      routerText({ ...spec, name: 'V6', addresses: [`${vip6}/128 dev eth0`] }),
    ].join('\n');
    const frr = await FrrVrrp.start(b, {
      virtualRouterId: 51,
      priority: 100,
      interval_ms: 200,
      addresses: [vip, vip6],
    });
    for (const family of ['v4', 'v6'] as const) await frr.waitForState(family, 'Master');
    const keepalived = await Keepalived.start(a, text);
    const expectMaster = async (host: Host) => {
      const isKeepalived = host === a;
      for (const family of ['v4', 'v6'] as const) {
        await keepalived.waitForState(family.toUpperCase(), isKeepalived ? 'MASTER' : 'BACKUP');
        await frr.waitForState(family, isKeepalived ? 'Backup' : 'Master');
      }
      for (const address of [vip, vip6]) {
        const since = nowMicros();
        const meter = await Meter.launch(client, address);
        await meter.waitForAnswers(5, since);
        await meter.stop();
        expect(meter.record().at(-1)?.name).toBe(host.name);
      }
    };
    await expectMaster(a);
    await frr.configure('priority 200');
    await expectMaster(b);
    await frr.configure('priority 100');
    await expectMaster(a);
    await keepalived.stop();
    for (const family of ['v4', 'v6'] as const) await frr.waitForState(family, 'Master');
  });
});
