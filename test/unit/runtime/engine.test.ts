// What checks do to the table that the data plane gets, and how rates are measured.

import { afterEach, describe, expect, test } from 'vitest';
import { seconds } from '../../../src/model/units.js';
import { config, endpoint, start, stopAll, web } from '../../support/test-director.js';

afterEach(stopAll);

describe('checks', () => {
  test('servers start in, the last of the file first', async () => {
    const f = await start(config([1, 2, 3]));
    expect(f.table()).toBe('3 2 1');
  });

  test('server_order config: as in the file', async () => {
    const f = await start(config([1, 2, 3], { outside: 'director { \n server_order config \n }' }));
    expect(f.table()).toBe('1 2 3');
  });

  test('a server that fails leaves after its retry, and comes back at the head', async () => {
    const f = await start(config([1, 2, 3]));
    f.probes.dead.add('10.1.0.2:80');
    await f.clock.advance(seconds(10));
    expect(f.table()).toBe('3 2 1');
    await f.clock.advance(seconds(1));
    expect(f.table()).toBe('3 1');
    f.probes.dead.clear();
    await f.clock.advance(seconds(10));
    expect(f.table()).toBe('2 3 1');
    expect(f.kinds()).toEqual(['published', 'started', 'server-down', 'published', 'server-up', 'published']);
  });

  test('server_order config: a server that comes back takes its place', async () => {
    const f = await start(config([1, 2, 3], { outside: 'director { \n server_order config \n }' }));
    f.probes.dead.add('10.1.0.2:80');
    await f.clock.advance(seconds(11));
    expect(f.table()).toBe('1 3');
    f.probes.dead.clear();
    await f.clock.advance(seconds(10));
    expect(f.table()).toBe('1 2 3');
  });

  describe('two checkers of one server', () => {
    const second =
      'TCP_CHECK {\n connect_port 81\n connect_timeout 3\n retry 1\n delay_before_retry 1\n warmup 0\n }';
    const verdicts = (kinds: readonly string[]) => kinds.filter((kind) => kind.startsWith('server-'));

    test('one verdict: DOWN once, UP when both pass', async () => {
      const f = await start(config([1, 2], { server: second }));
      f.probes.dead.add('10.1.0.2:80').add('10.1.0.2:81');
      await f.clock.advance(seconds(11));
      expect(f.table()).toBe('1');
      expect(verdicts(f.kinds())).toEqual(['server-down']);
      f.probes.dead.delete('10.1.0.2:80');
      await f.clock.advance(seconds(10));
      expect(f.table()).toBe('1');
      expect(verdicts(f.kinds())).toEqual(['server-down']);
      f.probes.dead.clear();
      await f.clock.advance(seconds(10));
      expect(f.table()).toBe('2 1');
      expect(verdicts(f.kinds())).toEqual(['server-down', 'server-up']);
    });

    test('a reload that takes the failing one away is an UP', async () => {
      const f = await start(config([1], { server: second }));
      f.probes.dead.add('10.1.0.1:81');
      await f.clock.advance(seconds(11));
      expect(f.kinds().slice(-3)).toEqual(['server-down', 'service-down', 'published']);
      await f.reload(config([1]));
      await f.clock.settle();
      expect(f.table()).toBe('1');
      expect(f.kinds()).toContain('server-up');
      expect(f.kinds()).toContain('service-up');
    });
  });

  test('alpha: out until the first good probe', async () => {
    const f = await start(config([1, 2], { service: 'alpha' }), ({ probes }) =>
      probes.dead.add('10.1.0.2:80'),
    );
    expect(f.dataplane.published[0]?.services[0]?.destinations).toEqual([]);
    expect(f.table()).toBe('1');
  });

  test('a hundred servers that fail at once are one publish', async () => {
    const hosts = Array.from({ length: 100 }, (_, i) => i + 1);
    const f = await start(config(hosts), ({ probes }) => {
      probes.isManual = true;
    });
    // Nobody answers: all time out together, twice.
    const before = f.publishCount;
    await f.clock.advance(seconds(3 + 1 + 3));
    expect(f.table()).toBe('');
    expect(f.publishCount).toBe(before + 1);
  });

  test('an answer that comes after the timeout changes nothing', async () => {
    const f = await start(config([1]), ({ probes }) => {
      probes.isManual = true;
    });
    const [probe] = f.probes.pending;
    await f.clock.advance(seconds(3));
    expect(probe?.isCancelled).toBe(true);
    probe?.answer({ kind: 'failed', reason: 'late' });
    await f.clock.advance(seconds(0.5));
    expect((await f.director.services())[0]?.servers[0]?.checkers[0]).toMatchObject({
      state: 'waiting',
      failures: 1,
    });
  });

  test('of several checkers all must pass', async () => {
    const second = 'TCP_CHECK { \n connect_port 81 \n retry 0 \n warmup 0 \n }';
    const f = await start(config([1, 2], { server: second }));
    f.probes.dead.add('10.1.0.1:81');
    await f.clock.advance(seconds(10));
    expect(f.table()).toBe('2');
    expect((await f.director.services())[0]?.servers[0]?.checkers.map(({ isUp }) => isUp)).toEqual([
      false,
      true,
    ]);
  });

  test('inhibit_on_failure: stays with weight 0', async () => {
    const f = await start(config([1, 2], { server: 'inhibit_on_failure' }));
    f.probes.dead.add('10.1.0.2:80');
    await f.clock.advance(seconds(11));
    expect(f.table()).toBe('2:0 1');
  });

  test('quorum and sorry server: in for all, and out again', async () => {
    const f = await start(config([1, 2, 3], { service: 'quorum 2 \n sorry_server 10.1.0.99 80' }));
    f.probes.dead.add('10.1.0.1:80').add('10.1.0.2:80');
    await f.clock.advance(seconds(11));
    expect(f.table()).toBe('99');
    expect(f.events).toContainEqual({ kind: 'service-down', service: web, hasSorryServer: true });
    f.probes.dead.delete('10.1.0.1:80');
    await f.clock.advance(seconds(10));
    // Newly added in the order of the file, each at the head.
    expect(f.table()).toBe('3 1');
    expect(f.events).toContainEqual({ kind: 'service-up', service: web });
  });
});

describe('rates', () => {
  test('move a quarter of the difference every two seconds', async () => {
    const f = await start(config([1]));
    await f.clock.advance(seconds(2));
    f.dataplane.addTraffic(web, endpoint(1), { connections: 4n, inPackets: 24n, inBytes: 1576n });
    await f.clock.advance(seconds(2));
    const rates = async () => (await f.director.services())[0]?.rates;
    expect(await rates()).toEqual({ connections: 0, inPackets: 3, outPackets: 0, inBytes: 197, outBytes: 0 });
    await f.clock.advance(seconds(2));
    expect(await rates()).toMatchObject({ inPackets: 2, inBytes: 148 });
    expect((await f.director.services())[0]?.destinations[0]?.rates).toMatchObject({ inPackets: 2 });
  });
});
