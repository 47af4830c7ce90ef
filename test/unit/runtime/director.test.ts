// A director's life, from before its start to after its stop, and the addresses that it holds meanwhile.

import { afterEach, describe, expect, test } from 'vitest';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import { seconds } from '../../../src/model/units.js';
import { nextTurn } from '../../../src/runtime/clock.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import { config, endpoint, start, stopAll, TestDirector, vip, web } from '../../support/test-director.js';

afterEach(stopAll);

describe('addresses', () => {
  const withAddress = 'static_ipaddress { \n 10.0.0.1/24 dev eth0 \n }';

  test('static ones are there from start to stop', async () => {
    const f = await start(config([1], { outside: withAddress }), ({ dataplane }) =>
      dataplane.addresses.clear(),
    );
    expect([...f.dataplane.addresses.keys()]).toEqual([`${vip}/24 eth0`]);
    expect(f.logged.join()).not.toContain('on no device');
    await f.director.stop();
    expect(f.dataplane.addresses.size).toBe(0);
  });

  test('one that was there before stays', async () => {
    const f = await start(config([1], { outside: withAddress }));
    await f.director.stop();
    expect([...f.dataplane.addresses.keys()]).toEqual([`${vip}/24 eth0`]);
  });

  test('a reload adds and removes them; one that drains stays', async () => {
    const f = await start(config([1], { outside: withAddress }), ({ dataplane }) =>
      dataplane.addresses.clear(),
    );
    f.dataplane.setCounts(web, endpoint(1), { active: 1 });
    await f.reload('static_ipaddress { \n 10.0.0.2/24 dev eth0 \n }');
    expect([...f.dataplane.addresses.keys()]).toEqual(['10.0.0.1/24 eth0', '10.0.0.2/24 eth0']);
    f.dataplane.setCounts(web, endpoint(1), { active: 0 });
    await f.clock.advance(seconds(2));
    expect([...f.dataplane.addresses.keys()]).toEqual(['10.0.0.2/24 eth0']);
  });

  test('one that stands on another device is added to its own, too', async () => {
    const outside = 'static_ipaddress { \n 10.0.0.1/32 dev eth0 \n }';
    const f = await start(config([1], { outside }), ({ dataplane }) => {
      dataplane.addresses.clear();
      dataplane.putAddress({ address: vip, prefixLength: 32, device: 'lo' });
    });
    expect([...f.dataplane.addresses.keys()].sort()).toEqual([`${vip}/32 eth0`, `${vip}/32 lo`]);
    await f.director.stop();
    expect([...f.dataplane.addresses.keys()]).toEqual([`${vip}/32 lo`]);
  });

  test('one whose device is missing is said once and added when the device comes', async () => {
    const outside = 'static_ipaddress { \n 10.0.0.1/24 dev eth7 \n }';
    const f = await start(config([1], { outside }), ({ dataplane }) => dataplane.addresses.clear());
    for (let i = 0; i < 2; i++) {
      f.dataplane.emit({ kind: 'addresses-changed' });
      await f.clock.advance(seconds(1));
    }
    expect(f.logged.filter((line) => line.startsWith("can't add 10.0.0.1/24 on eth7")).length).toBe(1);
    f.dataplane.devices.add('eth7');
    f.dataplane.emit({ kind: 'device-attached', device: 'eth7' });
    await f.clock.advance(seconds(1));
    expect([...f.dataplane.addresses.keys()]).toEqual([`${vip}/24 eth7`]);
  });

  test('a VIP on no device is said once each way', async () => {
    const f = await start(config([1]), ({ dataplane }) => dataplane.addresses.clear());
    const said = () => f.logged.filter((line) => line.includes('device of this machine'));
    expect(said()[0]).toMatch(
      /^10.0.0.1 is on no device of this machine: no packet will arrive for tcp 10.0.0.1:80/,
    );
    f.dataplane.emit({ kind: 'addresses-changed' });
    await f.clock.advance(seconds(1));
    expect(said().length).toBe(1);
    expect(f.director.status().missingAddresses).toEqual([vip]);
    f.dataplane.putAddress({ address: vip, prefixLength: 32, device: 'eth0' });
    f.dataplane.emit({ kind: 'addresses-changed' });
    await f.clock.advance(seconds(1));
    expect(said()[1]).toBe('10.0.0.1 is on a device of this machine now');
  });
});

describe('life', () => {
  test('calls before start and after stop are refused', async () => {
    const f = new TestDirector(config([1]));
    expect(() => f.director.status()).toThrow('it has not started');
    await expect(f.director.reload()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await f.director.start();
    await expect(f.director.start()).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    await f.director.stop();
    await f.director.stop();
    expect(() => f.director.status()).toThrow('it was stopped');
    await expect(f.director.apply([])).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    await expect(f.director.start()).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    expect(f.kinds().at(-1)).toBe('stopped');
    expect(f.clock.alarmCount).toBe(0);
  });

  test('a host that changes while the director stops disturbs nothing', async () => {
    const f = await start(config([1], { outside: 'static_ipaddress { \n 10.0.0.3/24 dev eth0 \n }' }));
    f.dataplane.emit({ kind: 'addresses-changed' });
    const waited = f.clock.advance(seconds(0.2));
    await f.director.stop();
    await waited;
    expect([...f.dataplane.addresses.keys()]).toEqual([`${vip}/24 eth0`]);
    expect(f.clock.alarmCount).toBe(0);
    expect(f.logged.filter((line) => line.includes('looking at'))).toEqual([]);
  });

  test('a failed start leaves nothing behind', async () => {
    const f = new TestDirector(config([1], { outside: 'director { \n interface eth9 \n }' }));
    await expect(f.director.start()).rejects.toMatchObject({ code: 'DEVICE_MISSING' });
    expect(f.clock.alarmCount).toBe(0);
    await f.director.stop();
  });

  test('a stop during the start waits for it, and stops', async () => {
    const f = new TestDirector(config([1]));
    await Promise.all([f.director.start(), f.director.stop()]);
    expect(f.kinds()).toEqual(['published', 'started', 'stopped']);
    await expect(f.dataplane.publish({ ...f.dataplane.current })).rejects.toMatchObject({
      code: 'NOT_RUNNING',
    });
  });

  test('a stop during a reload waits for it', async () => {
    const f = await start(config([1]));
    const reload = f.reload(config([1, 2]));
    await nextTurn(f.clock);
    await f.director.stop();
    await reload;
    expect(f.dataplane.published.at(-1)?.services[0]?.destinations.length).toBe(2);
  });

  test('a checker that there is none of is refused, not taken for another', async () => {
    const f = await start(config([1]));
    const value = JSON.parse(JSON.stringify(f.director.config()));
    value.virtualServers[0].realServers[0].checkers[0].kind = 'http';
    const again = createDirector({ config: value }, { dataplane: new MemoryDataplane(), clock: f.clock });
    await expect(again.start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('there is no checker "http" (server 10.1.0.1 80)'),
    });
  });

  test('a configuration given as a value is checked as a file is', async () => {
    const f = await start(config([1, 2]));
    const value = f.director.config();
    const again = createDirector({ config: value }, { dataplane: new MemoryDataplane(), clock: f.clock });
    await again.start();
    expect(again.config().virtualServers[0]?.realServers.length).toBe(2);
    await again.stop();
  });
});
