// Start, stop and death of a director: what it leaves behind (nothing), what SIGKILL does to the host's own traffic
// (it answers by itself at once), who may run beside whom, and the addresses that it adds and removes.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  configText,
  Director,
  type Host,
  Lab,
  labNeeds,
  ping,
  repository,
  request,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

/** What `check` says of a file that nothing is wrong with: one line. */
const goodAlone = /^\S+: good: [^\n]*\n$/;

const modes = [
  { method: 'DR', topology: topologies.dr(), net: 1 },
  { method: 'NAT', topology: topologies.nat(), net: 2 },
] as const;

/** Devices, programs and the addresses of `eth0`: all that a director may change of its host. */
async function footprint(host: Host): Promise<string> {
  const programs = JSON.parse(await host.exec('bpftool -j net show')) as unknown;
  const state = { devices: await host.devices(), addresses: await host.addresses('eth0'), programs };
  return JSON.stringify(state, undefined, 1);
}

requires(...labNeeds).describe('life cycle', () => {
  describe.each(modes)('$method', ({ method, topology, net }) => {
    const servers = [serverAt(vip, net, 0), serverAt(vip, net, 1)];
    const config = configText([{ address: vip, port: 80, method, servers }]);

    test('TERM: exit code 0 and nothing left', async () => {
      await using lab = await Lab.create(topology);
      const host = lab.host('director');
      await startHttp(lab.host('server-a'));
      const before = await footprint(host);
      const director = await Director.start(host, config);
      expect(await footprint(host)).not.toBe(before);
      expect(await director.stop()).toEqual({ code: 0, signal: undefined });
      expect(await footprint(host)).toBe(before);
    });

    test('SIGKILL: the host is as if there had been no director; the next start works', async () => {
      await using lab = await Lab.create(topology);
      const host = lab.host('director');
      const client = lab.host('client');
      await Promise.all(['server-a', 'server-b', 'director'].map((name) => startHttp(lab.host(name))));
      const before = await footprint(host);
      const director = await Director.start(host, config);
      expect([...(await request(client, urlOf(vip), 4)).counts.keys()].sort()).toEqual([
        'server-a',
        'server-b',
      ]);

      const killedAt = performance.now();
      await director.kill();
      await waitFor('the host to answer itself', async () => {
        const { counts, failures } = await request(client, urlOf(vip), 1, 0.3);
        return failures.length === 0 && counts.get('director') === 1;
      });
      expect(performance.now() - killedAt).toBeLessThan(1000);
      expect((await request(client, urlOf(vip), 10)).counts.get('director')).toBe(10);
      expect(await ping(client, vip)).toBe(3);

      const next = await Director.start(host, config, { socket: director.socket });
      expect(Object.fromEntries((await request(client, urlOf(vip), 10)).counts)).toEqual({
        'server-a': 5,
        'server-b': 5,
      });
      expect(await next.stop()).toEqual({ code: 0, signal: undefined });
      expect(await footprint(host)).toBe(before);
    });
  });

  test('a second director in the same namespace refuses to start; one in another does not', async () => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    await startHttp(lab.host('server-a'));
    const config = configText([{ address: vip, port: 80, method: 'NAT', servers: [serverAt(vip, 2, 0)] }]);
    await Director.start(host, config);
    const second = Director.launch(host, config);
    expect(await second.process.exited).toEqual({ code: 1, signal: undefined });
    expect(second.log()).toMatch(/running|another director/i);
    expect((await request(lab.host('client'), urlOf(vip), 5)).failures).toEqual([]);
    const elsewhere = await Director.start(lab.host('server-b'), configText([]));
    expect(await elsewhere.stop()).toEqual({ code: 0, signal: undefined });
    expect((await request(lab.host('client'), urlOf(vip), 5)).failures).toEqual([]);
  });

  test('static_ipaddress: added at the start, followed by a reload, removed at the stop', async () => {
    await using lab = await Lab.create(topologies.nat({ hasVip: false }));
    const host = lab.host('director');
    const withAddresses = (...lines: readonly string[]) => `static_ipaddress {\n${lines.join('\n')}\n}\n`;
    const before = await footprint(host);
    const director = await Director.start(host, withAddresses(`${vip}/32 dev eth0`, `${vip6}/128 dev eth0`));
    expect(await host.addresses('eth0')).toEqual(expect.arrayContaining([`${vip}/32`, `${vip6}/128`]));
    expect(await ping(lab.host('client'), vip6)).toBe(3);
    expect(
      await director.reload(withAddresses(`${vip}/32 dev eth0`, '10.1.0.101/24 dev eth0')),
    ).toMatchObject({ code: 0 });
    const after = await host.addresses('eth0');
    expect(after).toEqual(expect.arrayContaining([`${vip}/32`, '10.1.0.101/24']));
    expect(after).not.toContain(`${vip6}/128`);
    expect((await director.stop()).code).toBe(0);
    expect(await footprint(host)).toBe(before);
  });

  test('an address that was there before stays there', async () => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    const before = await footprint(host);
    const director = await Director.start(host, `static_ipaddress {\n${vip}/32 dev eth0\n}\n`);
    expect((await director.stop()).code).toBe(0);
    expect(await footprint(host)).toBe(before);
  });

  test.each([
    ['dr.conf', topologies.dr({ hasVip: false }), 80],
    ['nat.conf', topologies.nat({ hasVip: false }), 8080],
  ] as const)('examples/%s passes the check and carries traffic', async (name, topology, port) => {
    await using lab = await Lab.create(topology);
    const client = lab.host('client');
    await Promise.all(
      ['server-a', 'server-b'].map((server) => startHttp(lab.host(server), { ports: [port] })),
    );
    const file = join(repository, 'examples', name);
    const director = await Director.start(lab.host('director'), readFileSync(file, 'utf8'));
    expect(await director.cli(`check -f ${file}`)).toEqual({
      code: 0,
      stdout: expect.any(String),
      stderr: expect.stringMatching(goodAlone),
    });
    for (const address of [vip, vip6]) {
      const { counts, failures } = await request(client, urlOf(address), 20);
      expect(failures).toEqual([]);
      expect(Object.fromEntries(counts)).toEqual({ 'server-a': 10, 'server-b': 10 });
    }
  });

  test('examples/failover-a.conf and failover-b.conf pass the check and carry traffic', async () => {
    await using lab = await Lab.create(topologies.twoDirectors('DR'));
    await Promise.all(['server-a', 'server-b'].map((server) => startHttp(lab.host(server))));
    const [a] = await Promise.all(
      ['a', 'b'].map(async (letter) => {
        const file = join(repository, 'examples', `failover-${letter}.conf`);
        const director = await Director.start(lab.host(`director-${letter}`), readFileSync(file, 'utf8'));
        expect(await director.cli(`check -f ${file}`)).toMatchObject({
          code: 0,
          stderr: expect.stringMatching(goodAlone),
        });
        return director;
      }),
    );
    await a?.process.waitForOutput(/sync group web: master/);
    for (const address of [vip, vip6]) {
      const { counts, failures } = await request(lab.host('client'), urlOf(address), 20);
      expect(failures).toEqual([]);
      expect(Object.fromEntries(counts)).toEqual({ 'server-a': 10, 'server-b': 10 });
    }
  });
});
