// Somebody takes away what a master has on its machine, one thing after another: addresses, routes, devices of virtual
// MACs. All of it comes back, it is told, and the master stays master. UVS_CUSTODY_REMOVALS sets how many times, and
// UVS_CUSTODY_SEED which (`npm run lab:custody`: 200, with figures).

import { env } from 'node:process';
import { expect } from 'vitest';
import { Director, directorText, failoverNeeds, type Host, Pair, waitFor } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);

const removals = Number(env.UVS_CUSTODY_REMOVALS ?? 20);
const seed = Number(env.UVS_CUSTODY_SEED ?? 1);
/** What the command with figures holds each removal against. */
const allowed_ms = 1500;

const range = (count: number, from: number) => Array.from({ length: count }, (_, i) => from + i);
const plain4 = range(24, 100).map((n) => `10.1.0.${n}/${n % 2 === 0 ? 24 : 32}`);
const plain6 = range(10, 100).map((n) => `fd00:1::${n}/${n % 2 === 0 ? 64 : 128}`);
const onMacs = range(3, 61).map((id) => ({ device: `vrrp.${id}`, id, address: `10.1.0.${100 + id}/32` }));
const static4 = ['10.1.0.200/32', '10.1.0.201/32'];
const routes = range(8, 70).map((n) => `10.${n}.0.0/24 via 10.1.0.10`);

const config = [
  `static_ipaddress {\n${static4.map((address) => `  ${address} dev eth0`).join('\n')}\n}`,
  directorText([
    {
      name: 'V4',
      priority: 150,
      interval_s: 0.2,
      version: 3,
      addresses: plain4.map((address) => `${address} dev eth0`),
      lines: [
        `virtual_routes {\n${routes.map((route, i) => `${route} dev eth0${i % 2 === 0 ? ` src 10.1.0.${101 + i}` : ''}`).join('\n')}\n}`,
      ],
    },
    {
      name: 'V6',
      priority: 150,
      interval_s: 0.2,
      version: 3,
      virtualRouterId: 52,
      addresses: plain6.map((address) => `${address} dev eth0`),
    },
    ...onMacs.map(({ device, id, address }) => ({
      name: `M${id}`,
      priority: 150,
      interval_s: 0.2,
      version: 3 as const,
      virtualRouterId: id,
      addresses: [address],
      lines: [`use_vmac ${device}`],
    })),
  ]),
].join('\n');

/** As `ip` takes it away, and what of the machine is then not as it was. */
const ways: readonly string[] = [
  ...[...plain4, ...plain6, ...static4].map((address) => `addr del ${address} dev eth0`),
  ...onMacs.map(({ address, device }) => `addr del ${address} dev ${device}`),
  ...routes.map((route) => `route del ${route.split(' ')[0]}`),
  ...onMacs.map(({ device }) => `link del ${device}`),
];

/** Everything that is ours, in an order of its own. */
async function ours(host: Host): Promise<string> {
  const addresses = (await host.ip('-o addr show')).split('\n').flatMap((line) => {
    const [, device = '', , address = ''] = line.trim().split(/\s+/);
    return address.includes('/') && !address.startsWith('fe80') ? [`${address} ${device}`] : [];
  });
  const shown = (await host.ip('route show proto 117')).split('\n').map((line) => line.trim());
  const links = (await host.ip('-o link show type macvlan')).split('\n').flatMap((line) => {
    const [, name = '', flags = ''] = line.split(/\s+/);
    return name === '' ? [] : [`${name} ${flags.includes('UP')}`];
  });
  return [...addresses, ...shown, ...links].sort().join('\n');
}

/** Each way before any comes again, in an order of its own each time: nobody may be put back more than ten times a minute. */
function* endlessly(start: number): Generator<string, never> {
  let state = start;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (;;) {
    const left = [...ways];
    while (left.length > 0) yield left.splice(Math.floor(random() * left.length), 1)[0] ?? '';
  }
}

test(
  `${removals} random removals under a master: all back, told, and it stays master`,
  async () => {
    await using pair = await Pair.create();
    const director = await Director.start(pair.a, config);
    const names = ['V4', 'V6', ...onMacs.map(({ id }) => `M${id}`)];
    for (const name of names) await director.waitForState(name, 'MASTER');
    const count = ways.length - onMacs.length;
    await waitFor('all that is ours', async () => {
      const lines = (await ours(pair.a)).split('\n');
      return lines.length >= count + onMacs.length && lines;
    });
    const whole = await ours(pair.a);
    const chosen = endlessly(seed);
    const times: number[] = [];
    for (let i = 0; i < removals; i++) {
      const way = chosen.next().value;
      const before = performance.now();
      await pair.a.ip(way);
      await waitFor(`${way} (removal ${i}) to be undone`, async () => (await ours(pair.a)) === whole, {
        interval_ms: 5,
        detail: async () => `${await ours(pair.a)}\nshould be\n${whole}\n${director.log()}`,
      });
      times.push(performance.now() - before);
    }
    const status = JSON.parse((await director.cli('status --json')).stdout);
    expect(status.custody.putBack).toBeGreaterThanOrEqual(removals);
    expect(status.custody.deviations).toEqual([]);
    expect(director.log()).toContain('somebody else changed it; it is put back');
    for (const name of names) {
      expect(await director.router(name)).toMatchObject({ state: 'master', counters: { becameMaster: 1 } });
    }
    if (env.UVS_CUSTODY_REMOVALS !== undefined) {
      times.sort((a, b) => a - b);
      const at = (part: number) => `${Math.round(times[Math.floor((times.length - 1) * part)] ?? 0)} ms`;
      console.log(`${removals} removals, seed ${seed}: median ${at(0.5)}, 90 % ${at(0.9)}, longest ${at(1)}`);
      expect(times.at(-1)).toBeLessThan(allowed_ms);
    }
    expect((await director.stop()).code).toBe(0);
    expect(await pair.a.ip('-o link show type macvlan')).toBe('');
  },
  120_000 + removals * 2_000,
);

test('a fight with another program is told as one, and bounded', async () => {
  await using pair = await Pair.create();
  const director = await Director.start(
    pair.a,
    directorText([{ priority: 150, interval_s: 0.2, version: 3, addresses: ['10.1.0.100/24 dev eth0'] }]),
  );
  await director.waitForState('VI_1', 'MASTER');
  await waitFor(
    'the director to leave it',
    async () => {
      await pair.a.ip('addr flush dev eth0 to 10.1.0.100/32').catch(() => {});
      return director.log().includes('find out who changes it');
    },
    { timeout_s: 50 },
  );
  const status = JSON.parse((await director.cli('status --json')).stdout);
  expect(status.custody.putBack).toBeLessThanOrEqual(10);
  expect(status.custody.deviations).toEqual([expect.stringContaining('10.1.0.100/24 on eth0 is gone')]);
  expect((await director.cli('status')).stdout).toContain('find out who changes it');
});

test('an IPv6 route has its source again, however it has lost it', async () => {
  await using pair = await Pair.create();
  const config = (length: number) =>
    directorText([
      {
        name: 'V6',
        priority: 150,
        interval_s: 0.2,
        version: 3,
        addresses: [`fd00:1::100/${length} dev eth0`],
        lines: ['virtual_routes {\nsrc fd00:1::100 2001:db8::/32 via fd00:1::99 dev eth0\n}'],
      },
    ]);
  const director = await Director.start(pair.a, config(64));
  const waitForSource = (why: string) =>
    waitFor(
      `a source after ${why}`,
      async () => (await pair.a.ip('-6 route show proto 117')).includes('src fd00:1::100'),
      { detail: async () => `${await pair.a.ip('-6 route show proto 117')}\n${director.log()}` },
    );
  await waitForSource('taking over');
  // Nobody looks in between: the address is there at each look, and the route too.
  const batch = pair.a.writeFile(
    'batch',
    'addr del fd00:1::100/64 dev eth0\naddr add fd00:1::100/64 dev eth0 nodad\n',
  );
  await pair.a.ip(`-6 -batch ${batch}`);
  await waitForSource('its address was away for a moment');
  expect((await director.reload(config(128))).code).toBe(0);
  await waitForSource('its address has another length');
});
