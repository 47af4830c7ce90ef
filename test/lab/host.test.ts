// The director and the machine that it runs on: real servers on that machine, a strict reverse path filter, a bridge as
// its device, few capabilities, a worker that hangs, packets that die of age.

import { expect, test } from 'vitest';
import {
  Capture,
  cliFile,
  configText,
  connectError,
  Director,
  Lab,
  labNeeds,
  request,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const modes = [
  { method: 'DR', topology: topologies.dr(), net: 1, own: 2 },
  { method: 'NAT', topology: topologies.nat(), net: 2, own: 1 },
] as const;
const families = [vip, vip6];

requires(...labNeeds).describe('host', () => {
  test.each(modes)(
    '$method: a real server on the director itself',
    async ({ method, topology, net, own }) => {
      await using lab = await Lab.create(topology);
      const host = lab.host('director');
      await Promise.all([startHttp(host), startHttp(lab.host('server-a'))]);
      const services = families.map((address) => ({
        address,
        port: 80,
        method,
        servers: [
          { address: address.includes(':') ? `fd00:${net}::${own}` : `10.${net}.0.${own}`, port: 80 },
          serverAt(address, net, 0),
        ],
        isChecked: true,
      }));
      const director = await Director.start(host, configText(services));
      for (const address of families) {
        const { counts, failures } = await request(lab.host('client'), urlOf(address), 10);
        expect(failures).toEqual([]);
        expect(Object.fromEntries(counts)).toEqual({ director: 5, 'server-a': 5 });
      }
      const forwards = (await director.list()).flatMap((service) =>
        service.servers.map((server) => server.forward),
      );
      expect(forwards.filter((forward) => forward === 'Local')).toHaveLength(2);
    },
  );

  test('a sorry server answers while no real server is up', async () => {
    await using lab = await Lab.create(topologies.nat());
    const client = lab.host('client');
    const server = await startHttp(lab.host('server-a'));
    await startHttp(lab.host('server-b'));
    const config = configText([
      { address: vip, port: 80, method: 'NAT', servers: [serverAt(vip, 2, 0)], isChecked: true },
    ]).replace('protocol TCP', 'protocol TCP\n    sorry_server 10.2.0.22 80');
    const director = await Director.start(lab.host('director'), config);
    await server.stop();
    await director.waitForServers(`${vip}:80`, ['10.2.0.22:80']);
    expect((await request(client, urlOf(vip), 4)).counts.get('server-b')).toBe(4);
    await server.start();
    await director.waitForServers(`${vip}:80`, ['10.2.0.21:80']);
    expect((await request(client, urlOf(vip), 4)).counts.get('server-a')).toBe(4);
  });

  test('a strict reverse path filter is no hindrance', async () => {
    await using lab = await Lab.create(topologies.nat());
    const client = lab.host('client');
    const host = lab.host('director');
    const strict = ['all', 'default', 'eth0', 'eth1'].map((name) => `net.ipv4.conf.${name}.rp_filter=1`);
    await host.exec(['sysctl', '-q', '-w', ...strict]);
    await startHttp(lab.host('server-a'));
    await startHttp(host, { ports: [81] });
    const servers = [serverAt(vip, 2, 0)];
    await Director.start(
      host,
      configText(
        [80, 83].map((port) => ({
          address: vip,
          port,
          method: 'NAT' as const,
          servers: port === 80 ? servers : [],
        })),
      ),
    );
    expect((await request(client, urlOf(vip), 4)).counts.get('server-a')).toBe(4);
    expect((await request(client, urlOf(vip, 81), 4)).counts.get('director')).toBe(4);
    for (const port of [82, 83]) expect(await connectError(client, vip, port)).toBe('Connection refused');
  });

  test('the virtual IP on a bridge', async () => {
    await using lab = await Lab.create(topologies.dr({ hasVip: false }));
    const host = lab.host('director');
    await host.ip('link add br0 type bridge stp_state 0');
    await host.ip('addr flush dev eth0');
    await host.ip('link set eth0 master br0');
    await host.ip('link set br0 up');
    await host.ip('addr add 10.1.0.2/24 dev br0');
    await host.ip(`addr add ${vip}/32 dev br0`);
    await startHttp(lab.host('server-a'));
    await Director.start(
      host,
      configText([{ address: vip, port: 80, method: 'DR', servers: [serverAt(vip, 1, 0)] }]),
    );
    expect((await request(lab.host('client'), urlOf(vip), 4)).counts.get('server-a')).toBe(4);
  });

  test('three capabilities are enough', async () => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    await startHttp(lab.host('server-a'));
    const servers = [serverAt(vip, 2, 0)];
    const config = configText([{ address: vip, port: 80, method: 'NAT', servers, isChecked: true }]);
    const file = host.writeFile('few.conf', config);
    await host.exec(['chmod', '777', lab.dir]);
    const few = '+net_admin,+net_raw,+bpf';
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const limits = ['--inh-caps', few, '--ambient-caps', few, '--bounding-set', `-all,${few}`];
    const run = ['node', cliFile, 'run', '-f', file, '--socket', host.file('few.sock')];
    const director = host.spawn(['setpriv', ...user, ...limits, ...run], { name: 'few' });
    await director.waitForOutput(/\bready\b/);
    expect((await request(lab.host('client'), urlOf(vip), 4)).counts.get('server-a')).toBe(4);
    expect(await director.stop()).toEqual({ code: 0, signal: undefined });
  });

  test.each(families)(
    'a packet to %s that is too old dies at the director, which says so',
    async (address) => {
      await using lab = await Lab.create(topologies.natRouted());
      const client = lab.host('client');
      const host = lab.host('director');
      const isV6 = address.includes(':');
      await startHttp(lab.host('server-a'));
      await Director.start(
        host,
        configText([{ address, port: 80, method: 'NAT', servers: [serverAt(address, 6, 0)] }]),
      );
      const capture = await Capture.start(
        client,
        'eth0',
        isV6 ? 'icmp6 and ip6[40] == 3' : 'icmp[icmptype] == icmp-timxceed',
      );
      const connect = (hops: number) => {
        const target = isV6
          ? `TCP6:[${address}]:80,ipv6-unicast-hops=${hops}`
          : `TCP4:${address}:80,ttl=${hops}`;
        return client.tryExec(['socat', '-u', 'OPEN:/dev/null', `${target},connect-timeout=2`]);
      };
      // west1, west2, director, east1, east2, server-a.
      expect((await connect(3)).code).not.toBe(0);
      const own = isV6 ? 'fd00:1::2' : '10.1.0.2';
      const seen = await capture.lines();
      expect(seen.join('\n')).toContain(`${own} > `);
      expect((await connect(6)).code).toBe(0);
    },
  );
});
