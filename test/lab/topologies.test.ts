// The lab tested without the director: what the kernel's own routing and DNAT can do in these networks works, so that
// a failure of the other lab tests speaks about the director. Also that nothing stays behind.

import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect } from 'vitest';
import {
  Capture,
  datagram,
  iperf,
  Lab,
  makeFile,
  md5Of,
  namespacesOf,
  ping,
  request,
  startHttp,
  startIperf,
  startUdp,
  topologies,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(
  'root',
  'pkg:nginx',
  'pkg:curl',
  'pkg:iperf3',
  'pkg:socat',
  'pkg:tcpdump',
  'pkg:nft',
);

// What the director will do, done by nft for one port and two servers.
const dnat = (family: 'ip' | 'ip6', address: string, a: string, b: string) => `
table ${family} standin {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ${family} daddr ${address} tcp dport 80 dnat to numgen inc mod 2 map { 0 : ${a}, 1 : ${b} }
  }
}`;

test('NAT: replies come back through the director, in both families', async () => {
  await using lab = await Lab.create(topologies.nat());
  const [client, director, a, b] = ['client', 'director', 'server-a', 'server-b'].map((name) =>
    lab.host(name),
  );
  if (!client || !director || !a || !b) throw new Error('hosts');
  await Promise.all([startHttp(a), startHttp(b)]);
  await director.exec(['nft', '-f', '-'], { stdin: dnat('ip', vip, '10.2.0.21', '10.2.0.22') });
  await director.exec(['nft', '-f', '-'], { stdin: dnat('ip6', vip6, 'fd00:2::21', 'fd00:2::22') });
  for (const address of [vip, vip6]) {
    const { counts, failures } = await request(client, urlOf(address), 20);
    expect(failures).toEqual([]);
    expect(Object.fromEntries(counts)).toEqual({ 'server-a': 10, 'server-b': 10 });
    expect(await ping(client, address)).toBe(3);
  }
  expect((await request(client, urlOf('10.2.0.21'), 2)).counts.get('server-a')).toBe(2);
});

test('DR: a frame with the server’s MAC is answered from the virtual IP, and only the director answers ARP', async () => {
  await using lab = await Lab.create(topologies.dr());
  const client = lab.host('client');
  const director = lab.host('director');
  const server = lab.host('server-b');
  await startHttp(server);
  await startUdp(server, vip, 53, 'name');
  const [serverMac, directorMac] = [await server.mac('eth0'), await director.mac('eth0')];
  await director.exec(['nft', '-f', '-'], {
    stdin: `table netdev standin { chain ingress { type filter hook ingress device eth0 priority 0;
      ip daddr ${vip} meta l4proto { tcp, udp } ether saddr set ${directorMac} ether daddr set ${serverMac} fwd to eth0
      ip6 daddr ${vip6} tcp dport 80 ether saddr set ${directorMac} ether daddr set ${serverMac} fwd to eth0
      }
    }`,
  });
  for (const address of [vip, vip6]) {
    const { counts, failures } = await request(client, urlOf(address), 10);
    expect(failures).toEqual([]);
    expect(counts.get('server-b')).toBe(10);
    expect(await ping(client, address)).toBe(3);
    expect(await client.ip(`neigh show ${address}`)).toContain(directorMac);
  }
  expect(await datagram(client, vip, 53, 'who')).toBe('server-b');
});

test('a path with MTU 1280: bulk data arrives and the path MTU is learned', async () => {
  await using lab = await Lab.create(topologies.natRouted({ westMtu: 1280 }));
  const client = lab.host('client');
  const server = lab.host('server-a');
  await startHttp(server);
  // A server that knows the narrow path says so in its MSS: the way up needs one that does not.
  const http = await startHttp(lab.host('server-b'));
  const { path, md5 } = makeFile(lab, 'five', 5);
  const capture = await Capture.start(client, 'eth0', 'tcp port 80');
  await client.exec([
    'curl',
    '-sS',
    '--max-time',
    '20',
    '-o',
    client.file('five'),
    urlOf('10.6.0.21', 80, '/files/five'),
  ]);
  expect(md5Of(client.file('five'))).toBe(md5);
  expect(await server.ip('route get 10.3.0.10')).toContain('mtu 1280');
  await client.exec(['curl', '-sS', '--max-time', '20', '-T', path, urlOf('10.6.0.22', 80, '/uploads/five')]);
  expect(md5Of(`${http.uploadDir}/five`)).toBe(md5);
  expect(await client.ip('route get 10.6.0.22')).toContain('mtu 1280');
  expect((await capture.lines()).length).toBeGreaterThan(10);
});

test('iperf3 in both directions and an echo of a fragmented datagram', async () => {
  await using lab = await Lab.create(topologies.nat());
  const client = lab.host('client');
  const server = lab.host('server-a');
  await startIperf(server);
  await startUdp(server, '10.2.0.21', 7, 'echo');
  for (const reverse of [false, true]) {
    const result = await iperf(client, '10.2.0.21', { seconds: 1, reverse });
    expect(result.bitsPerSecond).toBeGreaterThan(1e8);
  }
  const payload = 'x'.repeat(8000);
  expect(await datagram(client, '10.2.0.21', 7, payload)).toBe(payload);
});

test('nothing is left of a lab, even when building it fails', async () => {
  const prefix = `uvs-${process.pid}-`;
  const broken = { name: 'broken', hosts: { a: { devices: { eth0: { addresses: ['10.1.0.1/24'] } } } } };
  await expect(Lab.create(broken)).rejects.toThrow(/eth0/);
  expect(namespacesOf(prefix)).toEqual([]);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(prefix))).toEqual([]);
});
