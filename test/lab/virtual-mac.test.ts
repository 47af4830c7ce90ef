// Virtual IPs on virtual MACs, end to end: the link knows them by the virtual MAC alone, and traffic to a service there
// takes the ways that it takes on an ordinary device, by DR and NAT, in both families.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BareDataplane,
  configText,
  connectError,
  Director,
  datagram,
  type Host,
  type HttpServer,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  ping,
  request,
  type ServiceSpec,
  serverAt,
  serviceRow,
  startHttp,
  startUdp,
  type Topology,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

type Mode = { readonly method: 'DR' | 'NAT'; readonly topology: Topology; readonly net: number };

const modes: readonly Mode[] = [
  { method: 'DR', topology: topologies.dr({ hasVip: false }), net: 1 },
  { method: 'NAT', topology: topologies.nat({ hasVip: false }), net: 2 },
];
const front = { device: 'vrrp.51', parent: 'eth0', mac: '00:00:5e:00:01:33' };
/** NAT: the servers' way out is a virtual address as well. */
const back = { device: 'vrrp.52', parent: 'eth1', mac: '00:00:5e:00:01:34' };
const gateways = ['10.2.0.254', 'fd00:2::254'];

requires(...labNeeds).describe('virtual MAC', () => {
  describe.each(modes)('$method', ({ method, topology, net }) => {
    let lab: Lab;
    let client: Host;
    let director: Host;
    let servers: readonly Host[];
    let http: readonly HttpServer[];
    let dataplane: BareDataplane;

    beforeAll(async () => {
      lab = await Lab.create(topology);
      [client, director] = [lab.host('client'), lab.host('director')];
      servers = ['server-a', 'server-b'].map((name) => lab.host(name));
      http = await Promise.all(servers.map((server) => startHttp(server)));
      await startHttp(director, { ports: [2222] });
      const interfaces = method === 'NAT' ? ['eth0', 'eth1'] : ['eth0'];
      dataplane = await BareDataplane.start(director, interfaces);
      await bringUp(front, [vip, vip6]);
      if (method === 'NAT') {
        await bringUp(back, gateways);
        for (const server of servers) {
          await server.ip(`route replace default via ${gateways[0]}`);
          await server.ip(`-6 route replace default via ${gateways[1]}`);
        }
      }
      await dataplane.publish(...[vip, vip6].flatMap(services).map((spec) => serviceRow(spec)));
    });
    afterAll(async () => {
      await lab?.dispose();
    });

    async function bringUp(made: typeof front, addresses: readonly string[]): Promise<void> {
      await dataplane.addVirtualMac(made.device, made.parent, made.mac);
      for (const address of addresses) {
        await director.ip(
          `addr add ${address}/${address.includes(':') ? '128 nodad' : 32} dev ${made.device}`,
        );
      }
      await waitFor(`${made.device} to be attached`, async () =>
        (await dataplane.devices()).some(({ name, isAttached }) => name === made.device && isAttached),
      );
    }

    function services(address: string): readonly ServiceSpec[] {
      const service = (port: number): ServiceSpec => ({
        address,
        port,
        method,
        servers: [0, 1].map((index) => serverAt(address, net, index, port)),
      });
      return [
        service(80),
        { ...service(7), protocol: 'UDP', servers: [serverAt(address, net, 0, 7)] },
        { ...service(81), servers: [] },
      ];
    }

    describe.each([vip, vip6])('%s', (address) => {
      test('it answers ping, and the link knows it by the virtual MAC', async () => {
        expect(await ping(client, address)).toBe(3);
        expect(await knownAs(client, address)).toBe(front.mac);
      });

      test('the director’s own packets from it teach nobody another MAC', async () => {
        const target = address.includes(':') ? 'fd00:1::10' : '10.1.0.10';
        // Everybody asks anew.
        await client.ip('neigh flush dev eth0');
        await director.ip('neigh flush dev eth0');
        expect((await director.tryExec(`ping -n -c 2 -i 0.1 -W 1 -I ${address} ${target}`)).stdout).toContain(
          '2 received',
        );
        expect(await knownAs(client, address)).toBe(front.mac);
      });

      test('requests are shared out, bulk data arrives unharmed both ways', async () => {
        const { counts, failures } = await request(client, urlOf(address), 20);
        expect(failures).toEqual([]);
        expect(Object.fromEntries(counts)).toEqual({ 'server-a': 10, 'server-b': 10 });
        const { path, md5 } = makeFile(lab, 'ten', 10);
        const copy = client.file('copy');
        await client.exec(['curl', '-sSf', '-o', copy, urlOf(address, 80, '/files/ten')]);
        expect(md5Of(copy)).toBe(md5);
        const name = `up-${address.includes(':') ? 6 : 4}`;
        await client.exec(['curl', '-sSf', '-T', path, urlOf(address, 80, `/uploads/${name}`)]);
        expect(http.map(({ uploadDir }) => md5IfThere(`${uploadDir}/${name}`))).toContain(md5);
      });

      test('fragments find their way', async () => {
        const server = serverAt(address, net, 0, 7);
        await startUdp(servers[0] as Host, method === 'DR' ? address : server.address, 7, 'echo');
        const long = 'x'.repeat(8000);
        expect(await datagram(client, address, 7, long)).toBe(long);
      });

      test('what is not a service stays with the host, and nobody usable is said at once', async () => {
        expect((await request(client, urlOf(address, 2222), 3)).counts.get('director')).toBe(3);
        expect(await connectError(client, address, 83)).toBe('Connection refused');
        expect(await connectError(client, address, 81)).toBe('Connection refused');
      });
    });

    if (method === 'NAT') {
      test('the servers’ way out is known by its virtual MAC', async () => {
        for (const gateway of gateways) {
          expect(await knownAs(servers[0] as Host, gateway)).toBe(back.mac);
        }
      });
    }
  });
});

requires(...labNeeds).test(
  'use_vmac: the next start finds everything that a killed director left, and restores it',
  async () => {
    await using lab = await Lab.create(topologies.nat({ hasVip: false }));
    const [client, host] = [lab.host('client'), lab.host('director')];
    await startHttp(lab.host('server-a'));
    const router = `
vrrp_instance V {
  state BACKUP
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.2
  use_vmac ${front.device}
  virtual_ipaddress { ${vip}/32 }
}
director { interface eth0 eth1 }`;
    const config = configText(
      [{ address: vip, port: 80, method: 'NAT', servers: [serverAt(vip, 2, 0)] }],
      router,
    );
    const arp = () => host.exec('sysctl -n net.ipv4.conf.eth0.arp_ignore net.ipv4.conf.eth0.arp_announce');
    const before = await arp();
    const first = await Director.start(host, config);
    const isServed = async () => {
      await waitFor('a reply from the virtual IP', async () => (await ping(client, vip, 1)) === 1);
      expect(await knownAs(client, vip)).toBe(front.mac);
      expect((await request(client, urlOf(vip), 4)).counts.get('server-a')).toBe(4);
    };
    await isServed();
    await first.kill();
    const second = await Director.start(host, config);
    await isServed();
    await second.stop();
    expect(await host.devices()).not.toContain(front.device);
    expect(await arp()).toBe(before);
  },
);

function md5IfThere(path: string): string {
  try {
    return md5Of(path);
  } catch {
    return '';
  }
}

/** The MAC that `host` knows `address` by. */
async function knownAs(host: Host, address: string): Promise<string | undefined> {
  type Neighbour = { dst: string; lladdr?: string };
  const known = JSON.parse((await host.ip(`-j neigh show ${address}`)) || '[]') as Neighbour[];
  return known[0]?.lladdr;
}
