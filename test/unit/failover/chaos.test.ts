// Three directors under everything that may happen at once, by seeds: cuts, links that fall, addresses that vanish,
// reloads, switchovers, stalls of the data plane. Once all is whole, one of them is master, and each machine is as its
// director says. The protocol itself is simulated in test/sim; this is about what executes it.
import { describe, expect, test } from 'vitest';
import type { IpAddress } from '../../../src/model/address.js';
import type { ForwardingTable } from '../../../src/model/forwarding-table.js';
import { createRandom, type Random } from '../../sim/prng.js';
import {
  type FailoverDirector,
  FailoverLab,
  routerWith,
  type Setup,
} from '../../support/failover-director.js';
import { vip as prefix } from '../vrrp/fixtures.js';

const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
const stepCount = 40;
const services = ['10.0.0.100', '10.0.0.101', '10.0.0.200', '10.0.0.201'];

/** One lone router, and two in a group. */
function setup(priority: number, extra: boolean, virtualRouterId = 51): Setup {
  const addresses = extra ? [prefix('10.0.0.100'), prefix('10.0.0.101')] : [prefix('10.0.0.100')];
  const timing = {
    version: 3,
    advertInterval: 200_000 as never,
    advertLease: 800_000 as never,
    releaseBudget: 900_000 as never,
  } as const;
  return {
    routers: [
      routerWith({ ...timing, priority, addresses, virtualRouterId }),
      routerWith({
        ...timing,
        name: 'VI_2',
        virtualRouterId: 61,
        priority,
        addresses: [prefix('10.0.0.200')],
      }),
      routerWith({
        ...timing,
        name: 'VI_3',
        virtualRouterId: 62,
        priority,
        addresses: [prefix('10.0.0.201')],
      }),
    ],
    groups: [['VI_2', 'VI_3']],
    services,
  };
}

type World = {
  readonly lab: FailoverLab;
  readonly random: Random;
  readonly directors: readonly FailoverDirector[];
  readonly links: Map<FailoverDirector, ReturnType<FailoverDirector['network']['links']>>;
  /** What all directors shall have in the end. */
  shape: { extra: boolean; virtualRouterId: number };
};

function strike(world: World): void {
  const { lab, random, directors } = world;
  const one = pick(random, directors);
  const other = pick(random, directors);
  const noted = (work: Promise<unknown>) => void work.catch(() => {});
  switch (random.below(9)) {
    case 0:
      if (one !== other) lab.wire.cut(one.network, other.network);
      return;
    case 1:
      lab.wire.heal();
      return;
    case 2:
      one.network.setLink({ name: 'eth0', isUp: false });
      return;
    case 3:
      one.network.setLink({ name: 'eth0', isUp: true });
      return;
    case 4:
      noted(one.director.switchover(undefined, false));
      return;
    case 5:
      world.shape = { extra: random.below(2) === 0, virtualRouterId: random.below(4) === 0 ? 52 : 51 };
      noted(one.reload(setup(100 + random.below(100), world.shape.extra, world.shape.virtualRouterId)));
      return;
    case 6: {
      const address = pick(random, one.network.addresses);
      if (address !== undefined) noted(one.network.removeAddress(address));
      return;
    }
    case 7:
      delayNextPublish(one, lab, random.below(400_000));
      return;
    case 8: {
      const name = pick(random, ['VI_1', 'VI_2', 'VI_3']);
      one.network.emit({ kind: 'lease-expired', router: name });
      return;
    }
    default:
  }
}

function delayNextPublish(director: FailoverDirector, { clock }: FailoverLab, delay: number): void {
  const { dataplane } = director;
  const original = Object.getPrototypeOf(dataplane).publish as (table: ForwardingTable) => Promise<number>;
  dataplane.publish = async (table) => {
    dataplane.publish = original;
    await new Promise<void>((resolve) => clock.at((clock.now() + delay) as never, resolve));
    return original.call(dataplane, table);
  };
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

describe('whatever happens', () => {
  test.each(seeds)(
    'seed %i: in the end there is one master, and each machine is as its director says',
    async (seed) => {
      const lab = new FailoverLab();
      const random = createRandom(seed);
      const directors = [
        await lab.start('a', 1, setup(150, true)),
        await lab.start('b', 2, setup(120, true)),
        await lab.start('c', 3, setup(100, true)),
      ];
      const world: World = {
        lab,
        random,
        directors,
        links: new Map(),
        shape: { extra: true, virtualRouterId: 51 },
      };
      for (let step = 0; step < stepCount; step++) {
        strike(world);
        await lab.wait(random.below(600) / 1_000);
      }
      lab.wire.heal();
      const { extra, virtualRouterId } = world.shape;
      for (const [i, director] of directors.entries()) {
        director.network.setLink({ name: 'eth0', isUp: true });
        const reloaded = director.reload(setup(150 - 25 * i, extra, virtualRouterId));
        let isOver = false;
        void reloaded.finally(() => {
          isOver = true;
        });
        while (!isOver) await lab.wait(0.05);
        director.director.allowPreemption();
      }
      await lab.wait(10);
      const states = directors.map((one) =>
        ['VI_1', 'VI_2', 'VI_3'].map((name) => one.state(name)).join(' '),
      );
      expect(states).toEqual(['master master master', 'backup backup backup', 'backup backup backup']);
      for (const [i, director] of directors.entries()) {
        const own = i === 0 ? services.filter((address) => extra || address !== '10.0.0.101') : [];
        expect(director.addresses().sort(), director.name).toEqual(own);
        const onLink = director.network.links()[0]?.addresses.map(({ address }) => address as string) ?? [];
        expect(onLink.filter((address) => services.includes(address)).sort(), director.name).toEqual(own);
        const standing = i === 0 ? [] : services.filter((address) => extra || address !== '10.0.0.101');
        expect(director.standby().sort(), director.name).toEqual(standing);
        expect(director.director.virtualRouters().virtualRouters, director.name).toHaveLength(3);
        expect(director.network.willOf('VI_1') === undefined || i === 0, director.name).toBe(true);
      }
      const before = lab.journal.length;
      await lab.wait(2);
      const adverts = lab.journal
        .slice(before)
        .filter((entry) => !/^a: (advert 150 repeated|announce)/.test(entry));
      expect(adverts).toEqual([]);
      await lab.close();
      expect(lab.holdersOf('10.0.0.100' as IpAddress)).toEqual([]);
    },
  );
});
