// Adverts that are wrong in one way each, sent to a uvs director and to a live keepalived: neither moves, and uvs counts
// what it was. Also what both make of a master with another list of addresses.

import { expect } from 'vitest';
import {
  type AdvertFrame,
  advertFrame,
  Director,
  directorText,
  failoverNeeds,
  inject,
  Keepalived,
  Pair,
  routerText,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);

/** keepalived's counter for the same, where it has one. */
type Case = { readonly counted: string; readonly keepalived?: string; readonly frame: Partial<AdvertFrame> };

const flip = (at: number, bit: number) => (message: Buffer) => {
  message.writeUInt8(message.readUInt8(at) ^ bit, at);
  return message;
};

const common: readonly Case[] = [
  { counted: 'ttl', keepalived: 'ip_ttl_err', frame: { ttl: 254 } },
  { counted: 'checksum', frame: { spoil: flip(6, 1) } },
  { counted: 'checksum', frame: { spoil: flip(2, 1) } },
  { counted: 'length', frame: { spoil: (message) => message.subarray(0, message.length - 4) } },
  { counted: 'length', frame: { spoil: (message) => Buffer.concat([message, Buffer.alloc(60)]) } },
  { counted: 'type', keepalived: 'invalid_type_rcvd', frame: { change: flip(0, 3) } },
];

const v2: readonly Case[] = [
  ...common,
  { counted: 'version', frame: { version: 3 } },
  { counted: 'authentication-type', keepalived: 'authtype_mismatch', frame: { authenticationType: 0 } },
  { counted: 'authentication', keepalived: 'auth_failure', frame: { password: 'wrong' } },
  { counted: 'interval', frame: { interval_s: 2 } },
  { counted: 'own-advert', frame: { source: 'own' } },
  { counted: 'addresses', keepalived: 'addr_list_err', frame: { addresses: ['10.1.0.99'] } },
  { counted: 'addresses', keepalived: 'addr_list_err', frame: { addresses: [vip, '10.1.0.99'] } },
  { counted: 'addresses', keepalived: 'addr_list_err', frame: { addresses: [] } },
  // It may not even give mastership up.
  { counted: 'addresses', keepalived: 'addr_list_err', frame: { priority: 0, addresses: ['10.1.0.99'] } },
];

const v3: readonly Case[] = [
  ...common,
  { counted: 'version', frame: { version: 2 } },
  { counted: 'addresses', keepalived: 'addr_list_err', frame: { addresses: ['fd00:1::99'] } },
];

for (const [name, cases, base] of [
  ['v2, IPv4', v2, { version: 2, source: '10.1.0.77', addresses: [vip], password: 'lab' }],
  ['v3, IPv6', v3, { version: 3, source: 'fe80::77', addresses: [vip6] }],
] as const) {
  test(`${name}: each wrong advert is counted and changes nothing`, async () => {
    await using pair = await Pair.create();
    const isV6 = base.version === 3;
    const address = isV6 ? `${vip6}/128` : `${vip}/32`;
    // Different virtual routers: each is master, and what is sent to one is nobody's business at the other.
    const spec = (virtualRouterId: number) => ({
      virtualRouterId,
      version: base.version,
      priority: 150,
      state: 'MASTER' as const,
      addresses: [address],
      ...('password' in base ? { password: base.password } : {}),
    });
    const uvs = await Director.start(pair.a, directorText([spec(51)]));
    const keepalived = await Keepalived.start(pair.b, routerText(spec(52)));
    await uvs.waitForState('VI_1', 'MASTER');
    await keepalived.waitForState('VI_1', 'MASTER');
    // The kernel drops IPv4 packets that claim to be from itself; a switch that echoes is heard all the same with this.
    await pair.a.exec(['sysctl', '-q', '-w', 'net.ipv4.conf.all.accept_local=1']);
    const own = { a: await ownSource(pair.a, isV6), b: await ownSource(pair.b, isV6) };
    const expected: Record<string, number> = {};
    const send = async (virtualRouterId: number, frame: Partial<AdvertFrame>, ownAddress: string) => {
      const full = { virtualRouterId, priority: 200, ...base, ...frame };
      const source = full.source === 'own' ? ownAddress : full.source;
      expect(await inject(pair.client, 'eth0', [advertFrame({ ...full, source })])).toBe(1);
    };
    for (const { counted, keepalived: counter, frame } of cases) {
      const before = await keepalived.stats('VI_1');
      await send(51, frame, own.a);
      await send(52, frame, own.b);
      expected[counted] = (expected[counted] ?? 0) + 1;
      await waitFor(
        `uvs to count ${counted}`,
        async () => {
          const { rejected } = (await uvs.router()).counters;
          return JSON.stringify(nonZero(rejected)) === JSON.stringify(nonZero(expected));
        },
        { detail: async () => JSON.stringify([counted, expected, (await uvs.router()).counters]) },
      );
      expect((await uvs.router()).state, counted).toBe('master');
      expect(keepalived.state('VI_1'), counted).toBe('MASTER');
      if (counter === undefined) continue;
      await waitFor(`keepalived to count ${counter}`, async () => {
        return ((await keepalived.stats('VI_1'))[counter] ?? 0) > (before[counter] ?? 0);
      });
    }
    const { counters } = await uvs.router();
    expect([counters.received, counters.releasedMaster]).toEqual([0, 0]);
    // Who sends such adverts means to be master: that is said in words.
    expect(counters.reports['second-master'], uvs.log()).toBeGreaterThan(0);
    expect(uvs.log()).toMatch(/its adverts are refused \([a-z-]+(: [^)]+)?\): compare the configurations/);
    // The same advert without a fault moves both: the frames were good enough to be dangerous.
    await send(51, {}, own.a);
    await uvs.waitForState('VI_1', 'BACKUP');
    await send(52, {}, own.b);
    await keepalived.waitForState('VI_1', 'BACKUP');
  });
}

test('v3, IPv4: a checksum without the pseudo-header (RFC 9568) is understood, and told', async () => {
  await using pair = await Pair.create();
  const router = { version: 3, interval_s: 0.2, priority: 150, addresses: [`${vip}/32`] } as const;
  const uvs = await Director.start(pair.a, directorText([router]));
  await uvs.waitForState('VI_1', 'MASTER');
  const frame = {
    version: 3,
    virtualRouterId: 51,
    priority: 200,
    source: '10.1.0.77',
    addresses: [vip],
  } as const;
  const send = (priority: number) =>
    inject(pair.client, 'eth0', [advertFrame({ ...frame, priority, hasBareChecksum: true })]);
  const counted = async () => (await uvs.router()).counters;
  // A loser; the first interval of a mastership forgives it.
  await waitFor('the first interval to pass', async () => (await counted()).sent > 2);
  await send(50);
  await waitFor('the checksum to be told', async () => (await counted()).reports['other-checksum'] === 1);
  await send(200);
  await waitFor('mastership to end', async () => (await counted()).releasedMaster === 1);
  const { received, rejected } = await counted();
  expect([received, rejected.checksum]).toEqual([2, 0]);
});

function nonZero(counts: Readonly<Record<string, number>>): readonly [string, number][] {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => a.localeCompare(b));
}

/** Where the host's adverts come from. */
async function ownSource(host: Pair['a'], isV6: boolean): Promise<string> {
  const found = (await host.addresses('eth0')).find((address) =>
    address.startsWith(isV6 ? 'fe80:' : '10.1.0.'),
  );
  return found?.split('/')[0] ?? '';
}
