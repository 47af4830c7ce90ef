// A director on devices that can't segment, sum or gather, and that lose and regain it while a transfer is under way:
// every byte arrives, nothing is refused. Frames that were merged on the way in, and large ones inside a tunnel.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  configText,
  Director,
  type Host,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  request,
  type ServiceSpec,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const suite = requires(...labNeeds, 'pkg:ethtool');

/** Settings of `ethtool -K`, one after the other; what one switches off the next leaves off. */
const weaker = ['tso off', 'gro on', 'gso off', 'sg off', 'tx off'] as const;
const whole = 'tx on sg on tso on gso on gro on';
const megabytes = 24;

const modes = [
  { method: 'NAT', topology: topologies.nat(), net: 2, at: 'server-a' },
  { method: 'DR', topology: topologies.dr(), net: 1, at: 'server-a' },
  // What is given back to the host goes by the slow path's own devices.
  { method: 'DR', topology: topologies.dr(), net: 1, at: 'director' },
] as const;

const ownServer = (like: string) => ({ address: like.includes(':') ? 'fd00:1::2' : '10.1.0.2', port: 80 });

async function setFeatures(host: Host, settings: string): Promise<void> {
  for (const device of (await host.devices()).filter((name) => /^(eth\d|uvs1)$/.test(name))) {
    await host.exec(`ethtool -K ${device} ${settings}`);
  }
}

/** Runs a transfer that writes to `sizeNow`, and changes a setting each time that another share of it is there. */
async function transferWithChanges(
  director: Host,
  command: readonly string[],
  client: Host,
  sizeNow: () => number,
): Promise<void> {
  const transfer = client.exec(command, { timeout_s: 60 });
  const steps = [...weaker, whole];
  const changes = (async () => {
    for (const [index, settings] of steps.entries()) {
      const share = ((index + 1) * megabytes * 1024 * 1024) / (steps.length + 2);
      await waitFor(`${share} bytes, to set ${settings}`, async () => sizeNow() > share, { timeout_s: 30 });
      await setFeatures(director, settings);
    }
  })();
  await Promise.all([transfer, changes]);
}

const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size : 0);
const sizeIn = (dir: string) =>
  existsSync(dir) ? readdirSync(dir).reduce((sum, name) => sum + sizeOf(join(dir, name)), 0) : 0;

/** Frames that the kernel or a device did not take. */
async function refused(director: Director): Promise<string | undefined> {
  type Status = { dataplane: { drops: readonly { reason: string; count: string }[] } };
  const { dataplane } = (await director.api('GET', '/v1/status')).body as Status;
  return dataplane.drops.find(({ reason }) => reason === 'transmit_failed')?.count;
}

suite.describe('offloads', () => {
  test.each(modes)('$method to $at: switched off and on in the middle of a transfer', async (mode) => {
    await using lab = await Lab.create(mode.topology);
    const client = lab.host('client');
    const server = lab.host(mode.at);
    const http = await startHttp(server);
    const services = [vip, vip6].map(
      (address): ServiceSpec => ({
        address,
        port: 80,
        method: mode.method,
        servers: [mode.at === 'director' ? ownServer(address) : serverAt(address, mode.net, 0)],
      }),
    );
    const director = await Director.start(lab.host('director'), configText(services));
    const { path, md5 } = makeFile(lab, 'file', megabytes);
    const curl = ['curl', '-sSf', '--max-time', '50', '--limit-rate', '16M'];
    for (const address of [vip, vip6]) {
      const copy = client.file('copy');
      const down = [...curl, '-o', copy, urlOf(address, 80, '/files/file')];
      await transferWithChanges(director.host, down, client, () => sizeOf(copy));
      expect(md5Of(copy)).toBe(md5);
      await client.exec(['rm', copy]);
      const up = [...curl, '-T', path, urlOf(address, 80, '/uploads/copy')];
      await transferWithChanges(director.host, up, client, () => sizeIn(server.file('nginx-body')));
      expect(md5Of(join(http.uploadDir, 'copy'))).toBe(md5);
    }
    expect(await refused(director)).toBe('0');
  });

  // A large frame inside a tunnel that is balanced by its outer header: the slow path can't say of it what it is.
  test.each(modes.slice(0, 2))('$method: a tunnel as a UDP service carries large frames', async (mode) => {
    await using lab = await Lab.create(mode.topology);
    const client = lab.host('client');
    const server = lab.host('server-a');
    const tunnelPort = 4789;
    const address = serverAt(vip, mode.net, 0).address;
    const director = await Director.start(
      lab.host('director'),
      configText([
        {
          address: vip,
          port: tunnelPort,
          protocol: 'UDP',
          method: mode.method,
          servers: [{ address, port: tunnelPort }],
        },
      ]),
    );
    const isDr = mode.method === 'DR';
    const ends = [
      { host: client, inner: '192.0.2.1/24', local: '10.1.0.10', remote: vip },
      { host: server, inner: '192.0.2.2/24', local: isDr ? vip : address, remote: '10.1.0.10' },
    ];
    for (const { host, inner, local, remote } of ends) {
      await host.ip(`link add vx type vxlan id 7 dstport ${tunnelPort} local ${local} remote ${remote}`);
      await host.ip(`addr add ${inner} dev vx`);
      await host.ip('link set vx mtu 1400 up');
    }
    await startHttp(server);
    const { path, md5 } = makeFile(lab, 'file', megabytes);
    const stored = `${server.file('uploads')}/copy`;
    await client.exec([
      'curl',
      '-sSf',
      '--max-time',
      '20',
      '-T',
      path,
      urlOf('192.0.2.2', 80, '/uploads/copy'),
    ]);
    expect(md5Of(stored)).toBe(md5);
    expect(await refused(director)).toBe('0');
  });

  test('a device whose queue is full for long does not silence the others', async () => {
    await using lab = await Lab.create(topologies.nat());
    const client = lab.host('client');
    const director = lab.host('director');
    const other = lab.host('server-b');
    await lab.cable(director, 'eth2', other, 'eth1');
    for (const [host, device, address] of [
      [director, 'eth2', '10.9.0.1/24'],
      [other, 'eth1', '10.9.0.22/24'],
    ] as const) {
      await host.ip(`addr add ${address} dev ${device}`);
      await host.ip(`link set ${device} up`);
    }
    await other.ip('route replace default via 10.9.0.1');
    await startHttp(other);
    await Director.start(
      director,
      configText([
        { address: vip, port: 9, protocol: 'UDP', method: 'NAT', servers: [serverAt(vip, 2, 0, 9)] },
        { address: vip, port: 80, method: 'NAT', servers: [{ address: '10.9.0.22', port: 80 }] },
      ]),
    );
    // Kept in a queue that hardly moves: more than the 64 MB that a socket for sending may well have.
    await director.exec('tc qdisc add dev eth1 root tbf rate 1mbit burst 64k limit 400m');
    const flood = 'OPEN:/dev/zero,readbytes=120000000';
    await client.exec(['socat', '-u', '-b1400', flood, `UDP4-SENDTO:${vip}:9`]);
    const queue = await director.exec('tc -s qdisc show dev eth1');
    expect(Number(/backlog \S+ (\d+)p/.exec(queue)?.[1])).toBeGreaterThan(35_000);
    const { counts, failures } = await request(client, urlOf(vip), 20);
    expect(failures).toEqual([]);
    expect(counts.get('server-b')).toBe(20);
  });
});
