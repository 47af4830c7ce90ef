// uvs and FRR's vrrpd (v3) as directors of one virtual IP in each family: election, priority change, takeover and
// return, with real clients. FRR speaks from a virtual MAC, uvs from its device's own. The long way is in matrix/.

import { expect } from 'vitest';
import { failoverNeeds, Pair, vip, vip6 } from '../support/lab/index.js';
import { requires } from '../support/require.js';
import { runCycle } from './failover-cycle.js';
import { frrPeer } from './failover-peers.js';

requires(...failoverNeeds).test(
  'v3 in both families: election, priority change, takeover and return',
  async () => {
    await using pair = await Pair.create();
    // FRR's checksum over IPv4 is that of RFC 5798 with the pseudo-header; both are understood.
    const common = { version: 3, interval_s: 0.3 } as const;
    const routers = [
      { ...common, name: 'V4', addresses: [`${vip}/32 dev eth0`] },
      { ...common, name: 'V6', addresses: [`${vip6}/128 dev eth0`] },
    ];
    const startPeer = frrPeer(pair, routers);
    await runCycle({ pair, routers, startPeer, addresses: [vip, vip6], patience_s: 10 });
    const said = await pair.adverts.adverts();
    for (const [mac, family] of [
      ['00:00:5e:00:01:33', '224.0.0.18'],
      ['00:00:5e:00:02:33', 'ff02::12'],
    ] as const) {
      const ofFamily = said.filter(({ destination }) => destination === family);
      for (const isFrr of [true, false]) {
        const own = ofFamily.filter(({ sourceMac }) => (sourceMac === mac) === isFrr);
        expect(own.length, await pair.adverts.tail()).toBeGreaterThan(2);
        expect(
          own.every(
            ({ version, ttl, intervalMicros }) => version === 3 && ttl === 255 && intervalMicros === 300_000,
          ),
        ).toBe(true);
      }
    }
  },
);
