// Datagrams from the virtual address itself, which nobody outside may send: two echo servers behind one service would answer
// each other for ever.

import { expect, test } from 'vitest';
import { parseIp } from '../../src/model/address.js';
import {
  Capture,
  configText,
  Director,
  datagram,
  inject,
  Lab,
  labNeeds,
  serverAt,
  startUdp,
  topologies,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { buildFrame } from '../support/packets.js';
import { requires } from '../support/require.js';

const families = [vip, vip6];
/** Of each address family. */
const spoofed = 20;

// With the virtual address on the director's device, and without.
const cases = [
  { method: 'NAT', hasVip: true, net: 2 },
  { method: 'NAT', hasVip: false, net: 2 },
  { method: 'DR', hasVip: true, net: 1 },
  { method: 'DR', hasVip: false, net: 1 },
] as const;

function fromItself(address: string, mac: string): Uint8Array {
  const at = parseIp(address);
  if (at === undefined) throw new Error(address);
  const ports = { sourcePort: 7, destinationPort: 7 };
  return buildFrame(
    { protocol: 'udp', source: at, destination: at, ...ports, flags: '' },
    mac,
    Buffer.from('loop'),
  );
}

requires(...labNeeds, 'pkg:cc').describe('own source', () => {
  test.each(cases)('$method, address on a device: $hasVip: no packet reaches a server', async (one) => {
    const { method, hasVip, net } = one;
    await using lab = await Lab.create(
      method === 'DR' ? topologies.dr({ hasVip }) : topologies.nat({ hasVip }),
    );
    const [client, host] = [lab.host('client'), lab.host('director')];
    const servers = ['server-a', 'server-b'];
    for (const [index, name] of servers.entries()) {
      for (const address of families)
        await startUdp(
          lab.host(name),
          method === 'DR' ? address : serverAt(address, net, index).address,
          7,
          'echo',
        );
    }
    const director = await Director.start(
      host,
      configText(
        families.map((address) => ({
          address,
          port: 7,
          protocol: 'UDP' as const,
          method,
          servers: servers.map((_, index) => serverAt(address, net, index, 7)),
        })),
      ),
    );
    const captures = await Promise.all(
      servers.map((name) => Capture.start(lab.host(name), 'eth0', 'udp port 7')),
    );
    const mac = await host.mac('eth0');
    for (const address of families)
      await inject(
        client,
        'eth0',
        Array.from({ length: spoofed }, () => fromItself(address, mac)),
      );

    type Status = { dataplane: { drops: readonly { reason: string; count: string }[] } };
    await waitFor('all of them to be dropped', async () => {
      const { dataplane } = (await director.api('GET', '/v1/status')).body as Status;
      const count = dataplane.drops.find(({ reason }) => reason === 'own_source')?.count;
      return count === String(families.length * spoofed);
    });
    for (const capture of captures) expect(await capture.lines()).toEqual([]);
    if (!hasVip) return;
    // A client is served, by two packets.
    for (const address of families) expect(await datagram(client, address, 7, 'who')).toBe('who');
    await waitFor('a packet and its answer in each family', async () => {
      const seen = await Promise.all(captures.map((capture) => capture.lines()));
      return seen.flat().length === 2 * families.length;
    });
  });
});
