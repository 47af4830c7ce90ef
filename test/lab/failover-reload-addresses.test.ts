// Whatever order of adding and removing a reload or a takeover makes: afterwards the machine has the addresses of the
// configuration and no other, with their prefix lengths, devices and labels. Random sequences of configurations, of subnets
// that overlap, so that primary addresses go and take secondary ones along.

import { env } from 'node:process';
import { expect } from 'vitest';
import { Director, directorText, failoverNeeds, type Host, Pair, waitFor } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);

const steps = Number(env.UVS_RELOAD_STEPS ?? 8);
const seeds = [1];
const devices = ['eth0', 'lan0'];
const names = ['VI_1', 'VI_2'];

type Place = {
  readonly address: string;
  readonly length: number;
  readonly device: string;
  readonly label: string;
};

function randomBelow(start: number): (limit: number) => number {
  let state = start;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** For each virtual router some of the addresses; none twice. */
function randomPlaces(below: (limit: number) => number, isIpv6: boolean): readonly (readonly Place[])[] {
  const pick = <T>(list: readonly T[]) => list[below(list.length)] as T;
  const places = names.map((): Place[] => []);
  for (let n = 1; n <= 6; n++) {
    if (n > 1 && below(3) === 0) continue;
    const device = pick(devices);
    const label = isIpv6 || below(2) === 0 ? '' : `${device}:${pick(['a', 'b'])}`;
    const [address, length] = isIpv6
      ? [`fd00:9::${n}`, pick([64, 64, 112, 128])]
      : [`10.9.1.${n}`, pick([24, 24, 25, 32])];
    // The first keeps the first virtual router from being without any.
    places[n === 1 ? 0 : below(places.length)]?.push({ address, length, device, label });
  }
  return places;
}

function textOf(places: readonly (readonly Place[])[], isIpv6: boolean): string {
  const routers = places.flatMap((own, i) => {
    if (own.length === 0) return [];
    const addresses = own.map(
      ({ address, length, device, label }) =>
        `${address}/${length} dev ${device}${label === '' ? '' : ` label ${label}`}`,
    );
    return [
      {
        name: names[i] ?? '',
        priority: 150,
        version: 3 as const,
        interval_s: 0.1,
        virtualRouterId: (isIpv6 ? 60 : 50) + i,
        addresses,
      },
    ];
  });
  return directorText(routers);
}

/** What the kernel has of the addresses that are dealt with here. */
async function present(host: Host): Promise<readonly string[]> {
  return (await host.ip('-o addr show'))
    .split('\n')
    .flatMap((line) => {
      const [, device = '', , prefix = ''] = line.trim().split(/\s+/);
      if (!prefix.startsWith('10.9.') && !prefix.startsWith('fd00:9:')) return [];
      const label = /(\S+)\\/.exec(line)?.[1] ?? '';
      return [`${prefix} ${device} ${label.includes(':') && !prefix.includes('::') ? label : ''}`.trim()];
    })
    .sort();
}

function wanted(places: readonly (readonly Place[])[]): readonly string[] {
  return places
    .flat()
    .map(({ address, length, device, label }) => `${address}/${length} ${device} ${label}`.trim())
    .sort();
}

const cases = [false, true].flatMap((isIpv6) => seeds.map((seed) => ({ isIpv6, seed })));
for (const { isIpv6, seed } of cases) {
  const what = `${isIpv6 ? 'IPv6' : 'IPv4'}, seed ${seed}`;
  test(
    `${what}: after each reload the machine has what the configuration says`,
    () => tryOut(isIpv6, seed),
    120_000,
  );
}

async function tryOut(isIpv6: boolean, seed: number): Promise<void> {
  await using pair = await Pair.create();
  await pair.a.ip('link add lan0 type veth peer name lan1');
  await pair.a.ip('link set lan0 up');
  await pair.a.ip('link set lan1 up');
  const below = randomBelow(seed);
  let places = randomPlaces(below, isIpv6);
  const director = await Director.start(pair.a, textOf(places, isIpv6));
  await director.waitForState('VI_1', 'MASTER');
  await waitFor('the first addresses', async () => `${await present(pair.a)}` === `${wanted(places)}`);
  for (let step = 1; step <= steps; step++) {
    const before = places;
    places = randomPlaces(below, isIpv6);
    expect((await director.reload(textOf(places, isIpv6))).code).toBe(0);
    // A virtual router that is new becomes master first, one that went gives up first: the others have theirs at once.
    await waitFor(`step ${step}`, async () => `${await present(pair.a)}` === `${wanted(places)}`, {
      detail: async () =>
        `before: ${wanted(before)}\nhas:    ${await present(pair.a)}\nwants:  ${wanted(places)}\n${director.log().slice(-2000)}`,
    });
  }
  const status = JSON.parse((await director.cli('status --json')).stdout);
  // Nobody else has touched anything.
  expect(status.custody).toEqual({ putBack: 0, deviations: [] });
  expect((await director.stop()).code).toBe(0);
  expect(await present(pair.a)).toEqual([]);
}
