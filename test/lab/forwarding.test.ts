// Traffic of every kind through a running director, DR and NAT, both families, offloads as the kernel sets them:
// HTTP shared out exactly, bulk data unharmed in both directions, UDP, fragments, and the ways of saying no.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  configText,
  connectError,
  Director,
  datagram,
  type Host,
  type HttpServer,
  iperf,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  ping,
  request,
  type ServiceSpec,
  serverAt,
  shuffledDatagrams,
  startHttp,
  startIperf,
  startUdp,
  type Topology,
  topologies,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

type Mode = { readonly method: 'DR' | 'NAT'; readonly topology: Topology; readonly net: number };

const modes: readonly Mode[] = [
  { method: 'DR', topology: topologies.dr(), net: 1 },
  { method: 'NAT', topology: topologies.nat(), net: 2 },
  { method: 'NAT', topology: topologies.natRouted(), net: 6 },
];

function services(mode: Mode, address: string): readonly ServiceSpec[] {
  const service = (port: number, indexes: readonly number[], serverPort = port): ServiceSpec => ({
    address,
    port,
    method: mode.method,
    servers: indexes.map((index) => serverAt(address, mode.net, index, serverPort)),
  });
  return [
    service(80, [0, 1]),
    ...(mode.method === 'NAT' ? [service(8000, [0, 1], 80)] : []),
    // iperf3 has a control connection beside those that it measures: they belong to one server.
    service(5201, [0]),
    { ...service(53, [0, 1]), protocol: 'UDP' },
    { ...service(7, [0]), protocol: 'UDP' },
    { ...service(81, [0]), servers: [{ ...serverAt(address, mode.net, 0, 81), weight: 0 }] },
  ];
}

requires(...labNeeds).describe('forwarding', () => {
  describe.each(modes)('$method in $topology.name', (mode) => {
    let lab: Lab;
    let client: Host;
    let a: Host;
    let http: readonly HttpServer[];
    let director: Director;

    beforeAll(async () => {
      lab = await Lab.create(mode.topology);
      client = lab.host('client');
      a = lab.host('server-a');
      const b = lab.host('server-b');
      http = await Promise.all([startHttp(a), startHttp(b)]);
      await startHttp(lab.host('director'), { ports: [2222] });
      await startIperf(a);
      for (const [index, host] of [a, b].entries()) {
        for (const address of [vip, vip6]) {
          const bound = mode.method === 'DR' ? address : serverAt(address, mode.net, index).address;
          await startUdp(host, bound, 53, 'name');
          await startUdp(host, bound, 7, 'echo');
        }
      }
      const config = configText([...services(mode, vip), ...services(mode, vip6)]);
      director = await Director.start(lab.host('director'), config);
    });
    afterAll(async () => {
      await lab?.dispose();
    });

    describe.each([vip, vip6])('%s', (address) => {
      test('rr shares requests out exactly', async () => {
        const { counts, failures } = await request(client, urlOf(address), 40);
        expect(failures).toEqual([]);
        expect(Object.fromEntries(counts)).toEqual({ 'server-a': 20, 'server-b': 20 });
      });

      if (mode.method === 'NAT') {
        test('a port is mapped', async () => {
          // From ports of its own: to a server, what comes from a port that a client of the other service has had is that
          // connection until both ends have closed it, and another server has the new one.
          const range = 'net.ipv4.ip_local_port_range';
          await client.exec(['sysctl', '-qw', `${range}=20000 29999`]);
          const { counts, failures } = await request(client, urlOf(address, 8000), 10);
          await client.exec(['sysctl', '-qw', `${range}=32768 60999`]);
          expect(failures).toEqual([]);
          expect(Object.fromEntries(counts)).toEqual({ 'server-a': 5, 'server-b': 5 });
        });
      }

      test('50 MB arrive unharmed in both directions', async () => {
        const { path, md5 } = makeFile(lab, 'fifty', 50);
        const copy = client.file('copy');
        await client.exec(['curl', '-sSf', '-o', copy, urlOf(address, 80, '/files/fifty')]);
        expect(md5Of(copy)).toBe(md5);
        const name = `up-${address.includes(':') ? 6 : 4}`;
        await client.exec(['curl', '-sSf', '-T', path, urlOf(address, 80, `/uploads/${name}`)]);
        const stored = http.map((server) => `${server.uploadDir}/${name}`).flatMap(md5IfThere);
        expect(stored).toEqual([md5]);
      });

      test('iperf3 runs both ways', async () => {
        for (const reverse of [false, true]) {
          const { bitsPerSecond } = await iperf(client, address, { seconds: 1, reverse });
          expect(bitsPerSecond).toBeGreaterThan(1e8);
        }
      });

      test('datagrams are answered by both servers', async () => {
        const answers = [];
        for (let i = 0; i < 4; i++) answers.push(await datagram(client, address, 53, 'who'));
        expect(answers.sort()).toEqual(['server-a', 'server-a', 'server-b', 'server-b']);
      });

      test('a datagram that needs six fragments comes back whole', async () => {
        const payload = Array.from({ length: 8000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
        expect(await datagram(client, address, 7, payload)).toBe(payload);
      });

      test('datagrams whose fragments come last one first come back whole', async () => {
        expect(await shuffledDatagrams(client, address, 7, 20)).toBe(20);
      });

      test('without a usable server the client is refused at once', async () => {
        const startedAt = performance.now();
        expect(await connectError(client, address, 81)).toBe('Connection refused');
        expect(performance.now() - startedAt).toBeLessThan(1000);
      });

      test('what is not a service stays with the host: ping, a server of its own, a closed port', async () => {
        expect(await ping(client, address)).toBe(3);
        expect((await request(client, urlOf(address, 2222), 3)).counts.get('director')).toBe(3);
        expect(await connectError(client, address, 83)).toBe('Connection refused');
      });

      test('a real server is reached under its own address as if there were no director', async () => {
        const own = serverAt(address, mode.net, 0).address;
        expect((await request(client, urlOf(own), 5)).counts.get('server-a')).toBe(5);
        expect(await ping(client, own)).toBe(3);
      });
    });

    test('nothing was dropped on the way', async () => {
      const { body } = await director.api('GET', '/v1/status');
      const { drops } = (body as { dataplane: { drops: { reason: string; count: string }[] } }).dataplane;
      expect(drops.filter((drop) => drop.count !== '0')).toEqual([]);
    });
  });
});

function md5IfThere(path: string): readonly string[] {
  try {
    return [md5Of(path)];
  } catch {
    return [];
  }
}
