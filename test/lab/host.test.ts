// The director and the machine that it runs on: real servers on that machine, a strict reverse path filter, a bridge as
// its device, few capabilities, a worker that hangs, packets that die of age.

import { expect, test } from 'vitest';
import {
  Capture,
  cliFile,
  configText,
  connectError,
  Director,
  datagram,
  datagramError,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  request,
  serverAt,
  shuffledDatagrams,
  startHttp,
  startUdp,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
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
      expect(new Set(forwards)).toEqual(new Set([method === 'NAT' ? 'Masq' : 'Route']));
    },
  );

  test('a real server on the director itself, at another port: bulk data, fragments, a refusal', async () => {
    await using lab = await Lab.create(topologies.nat());
    const [client, host] = [lab.host('client'), lab.host('director')];
    const ownOf = (address: string) => (address.includes(':') ? 'fd00:2::1' : '10.2.0.1');
    await startHttp(host, { ports: [8080] });
    const config = families.flatMap((address) => {
      const at = (port: number, serverPort: number, protocol: 'TCP' | 'UDP') => ({
        address,
        port,
        method: 'NAT' as const,
        protocol,
        servers: [{ address: ownOf(address), port: serverPort }],
      });
      return [at(80, 8080, 'TCP'), at(7, 7007, 'UDP'), at(9, 9009, 'UDP'), at(81, 8081, 'TCP')];
    });
    const director = await Director.start(host, configText(config));
    const { path, md5 } = makeFile(lab, 'twenty', 20);
    for (const address of families) {
      await startUdp(host, ownOf(address), 7007, 'echo');
      expect((await request(client, urlOf(address), 10)).counts.get('director')).toBe(10);
      const copy = client.file('copy');
      await client.exec(['curl', '-sSf', '-o', copy, urlOf(address, 80, '/files/twenty')]);
      expect(md5Of(copy)).toBe(md5);
      await client.exec(['curl', '-sSf', '-T', path, urlOf(address, 80, '/uploads/twenty')]);
      expect(await shuffledDatagrams(client, address, 7, 20)).toBe(20);
      // Nobody listens: the host's RST comes back in the service's name.
      expect(await connectError(client, address, 81)).toBe('Connection refused');
      expect(await datagramError(client, address, 9)).toBe('Connection refused');
    }
    const forwards = (await director.list()).flatMap(({ servers }) => servers.map(({ forward }) => forward));
    expect(new Set(forwards)).toEqual(new Set(['Masq']));
    // A client may still ask the server itself.
    expect((await request(client, urlOf('10.2.0.1', 8080), 3)).counts.get('director')).toBe(3);
  });

  test('what the worker sends itself is never taken for a reply of the director’s own server', async () => {
    await using lab = await Lab.create(topologies.nat());
    const [client, host] = [lab.host('client'), lab.host('director')];
    const ownOf = (address: string) => (address.includes(':') ? 'fd00:2::1' : '10.2.0.1');
    // One service's real server is another service.
    const config = families.flatMap((address) => {
      const at = (service: string, port: number, server: { address: string; port: number }) => ({
        address: service,
        port,
        method: 'NAT' as const,
        protocol: 'UDP' as const,
        servers: [server],
      });
      const own = { address: ownOf(address), port: 7007 };
      return [at(address, 7, own), at(own.address, own.port, serverAt(address, 2, 0, 7))];
    });
    await Director.start(host, configText(config));
    for (const address of families) {
      const own = ownOf(address);
      await startUdp(host, own, 7007, 'name');
      await startUdp(lab.host('server-a'), serverAt(address, 2, 0).address, 7, 'name');
      for (const [at, port, name] of [
        [address, 7, 'director'],
        [own, 7007, 'server-a'],
      ] as const) {
        expect(await datagram(client, at, port, '?', { from: 4321 })).toBe(name);
      }
    }
  });

  test('a real server’s address that comes to the director later', async () => {
    await using lab = await Lab.create(topologies.nat());
    const [client, host] = [lab.host('client'), lab.host('director')];
    await startHttp(host, { ports: [8080] });
    const moved: Record<string, string> = { [vip]: '10.2.0.77', [vip6]: 'fd00:2::77' };
    const config = families.map((address) => ({
      address,
      port: 80,
      method: 'NAT' as const,
      servers: [{ address: moved[address] ?? '', port: 8080 }],
    }));
    await Director.start(host, configText(config));
    for (const address of families) {
      const own = moved[address];
      await host.ip(`addr add ${own}/${address.includes(':') ? '128 nodad' : '32'} dev eth1`);
      await waitFor(
        'an answer',
        async () => (await request(client, urlOf(address), 1)).counts.get('director') === 1,
      );
      expect((await request(client, urlOf(address), 10)).counts.get('director')).toBe(10);
    }
  });

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
    // As systemd's RuntimeDirectory does it.
    const prepare = 'mount -t tmpfs none /run && mkdir -m 700 /run/uvs && chown 65534 /run/uvs && exec "$@"';
    const director = host.spawn(
      ['unshare', '-m', 'sh', '-c', prepare, 'sh', 'setpriv', ...user, ...limits, ...run],
      { name: 'few' },
    );
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
