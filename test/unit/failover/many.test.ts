// Hundreds of virtual routers of one director that become master at one moment: others have their turn meanwhile, and what
// costs more the more there are is done once for all.

import { afterEach, expect, test } from 'vitest';
import { micros, seconds } from '../../../src/model/units.js';
import { type FailoverDirector, FailoverLab } from '../../support/failover-director.js';
import { router, vip } from '../vrrp/fixtures.js';

const count = 120;

let lab = new FailoverLab();
afterEach(async () => {
  await lab.close();
  lab = new FailoverLab();
});

function masters({ director }: FailoverDirector): number {
  return director.status().virtualRouters.filter(({ state }) => state === 'master').length;
}

function routers() {
  return Array.from({ length: count }, (_, i) =>
    router({
      name: `VI_${i}`,
      virtualRouterId: i + 1,
      addresses: [vip(`10.0.1.${i + 1}`)],
    }),
  );
}

test('all become master, and an alarm that falls due meanwhile rings between two of them', async () => {
  const { clock } = lab;
  const director = await lab.start('a', 1, { routers: routers(), services: [] });
  const { network } = director;
  const { advertise } = network;
  const order: string[] = [];
  network.advertise = (key, messages, repetition) => {
    if (order.length === 0) clock.at(clock.now(), () => order.push('alarm'));
    if (order.length < count) order.push('advert');
    clock.spend(micros(1_000));
    return advertise.call(network, key, messages, repetition);
  };
  await clock.advance(seconds(4));
  expect(masters(director)).toBe(count);
  expect(order.indexOf('alarm')).toBeGreaterThan(0);
  expect(order.indexOf('alarm')).toBeLessThan(20);
});

test('the kernel is asked for its links by the turn, not by the router', async () => {
  const director = await lab.start('a', 1, { routers: routers(), services: [] });
  const { network } = director;
  const { links } = network;
  let asked = 0;
  network.links = () => {
    asked += 1;
    return links.call(network);
  };
  await lab.clock.advance(seconds(4));
  expect(masters(director)).toBe(count);
  expect(asked).toBeLessThan(count / 2);
});
