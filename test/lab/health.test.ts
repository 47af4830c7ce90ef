// TCP_CHECK in the lab: a server that stops leaves the table or goes to weight 0 and comes back by itself,
// and one that is replaced by a machine with another MAC at the same address goes on serving.

import { describe, expect, test } from 'vitest';
import {
  configText,
  connectError,
  Director,
  Lab,
  labNeeds,
  ping,
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

const modes = [
  { method: 'DR', topology: topologies.dr(), net: 1 },
  { method: 'NAT', topology: topologies.nat(), net: 2 },
] as const;

requires(...labNeeds).describe('health', () => {
  test.each([vip, vip6])('a stopped server of %s leaves the table and returns', async (address) => {
    await using lab = await Lab.create(topologies.nat());
    const client = lab.host('client');
    await startHttp(lab.host('server-a'));
    const stopped = await startHttp(lab.host('server-b'));
    const servers = [serverAt(address, 2, 0), serverAt(address, 2, 1)];
    const config = configText([{ address, port: 80, method: 'NAT', servers, isChecked: true }]);
    const director = await Director.start(lab.host('director'), config);
    const [service, a, b] = [address, serverAt(address, 2, 0).address, serverAt(address, 2, 1).address].map(
      (text) => (text.includes(':') ? `[${text}]:80` : `${text}:80`),
    ) as [string, string, string];

    await stopped.stop();
    await director.waitForServers(service, [a]);
    const without = await request(client, urlOf(address), 10);
    expect(without.failures).toEqual([]);
    expect(without.counts.get('server-a')).toBe(10);

    await stopped.start();
    await director.waitForServers(service, [a, b]);
    expect(Object.fromEntries((await request(client, urlOf(address), 10)).counts)).toEqual({
      'server-a': 5,
      'server-b': 5,
    });
  });

  test('inhibit_on_failure: weight 0 instead of leaving, and all stopped is a refusal', async () => {
    await using lab = await Lab.create(topologies.dr());
    const client = lab.host('client');
    const http = [await startHttp(lab.host('server-a')), await startHttp(lab.host('server-b'))];
    const servers = [0, 1].map((index) => ({ ...serverAt(vip, 1, index), inhibit: true }));
    const config = configText([{ address: vip, port: 80, method: 'DR', servers, isChecked: true }]);
    const director = await Director.start(lab.host('director'), config);
    const weights = async () => (await director.list())[0]?.servers.map((server) => server.weight).sort();

    await http[1]?.stop();
    await waitFor('one server at weight 0', async () => String(await weights()) === '0,1');
    expect((await request(client, urlOf(vip), 6)).counts.get('server-a')).toBe(6);
    await http[0]?.stop();
    await waitFor('both servers at weight 0', async () => String(await weights()) === '0,0');
    expect(await connectError(client, vip, 80)).toBe('Connection refused');
    await Promise.all(http.map((server) => server.start()));
    await waitFor('both servers back', async () => String(await weights()) === '1,1');
    expect((await request(client, urlOf(vip), 6)).counts.size).toBe(2);
  });

  describe.each(modes)('$method', ({ method, topology, net }) => {
    test.each([vip, vip6])(
      'a server of %s replaced by a machine with another MAC goes on serving',
      async (address) => {
        await using lab = await Lab.create(topology);
        const client = lab.host('client');
        const server = lab.host('server-a');
        const host = lab.host('director');
        await startHttp(server);
        // The kernel's own times until it doubts a neighbour, in seconds instead of half a minute.
        for (const device of (await host.devices()).filter((name) => name.startsWith('eth'))) {
          for (const family of ['ipv4', 'ipv6']) {
            const prefix = `net.${family}.neigh.${device}`;
            const times = [`${prefix}.base_reachable_time_ms=1000`, `${prefix}.delay_first_probe_time=1`];
            await host.exec(['sysctl', '-q', '-w', ...times]);
          }
        }
        const config = configText([{ address, port: 80, method, servers: [serverAt(address, net, 0)] }]);
        await Director.start(host, config);
        expect((await request(client, urlOf(address), 5)).failures).toEqual([]);
        const isServed = async () => (await request(client, urlOf(address), 1, 1)).failures.length === 0;

        // One that says nothing: the director has to find out by itself.
        await server.ip('link set dev eth0 address 02:00:00:00:00:98');
        await waitFor('the silent machine to serve', isServed, { timeout_s: 20 });

        // One that has just come up, and asks for its neighbours as every machine does.
        await server.ip('link set dev eth0 address 02:00:00:00:00:99');
        await server.ip('neigh flush dev eth0');
        const director = method === 'DR' ? [1, 2] : [2, 1];
        await ping(
          server,
          address.includes(':')
            ? `fd00:${director[0]}::${director[1]}`
            : `10.${director[0]}.0.${director[1]}`,
          1,
        );
        await waitFor('the new machine to serve', isServed, { timeout_s: 20 });
        expect((await request(client, urlOf(address), 10)).failures).toEqual([]);
      },
    );
  });
});
