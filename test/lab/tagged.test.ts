// Frames with an 802.1Q tag: one that has only a priority counts as untagged, request and reply, NAT and DR; one with a VLAN
// id on the parent device is not ours, is counted, and doctor says so.

import { expect, test } from 'vitest';
import { parseIp } from '../../src/model/address.js';
import { chainTopology, layOutChain } from '../support/lab/chain.js';
import {
  Capture,
  configText,
  Director,
  datagram,
  type Host,
  inject,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  request,
  startHttp,
  startUdp,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { Tunnel } from '../support/lab/tunnel.js';
import { buildFrame } from '../support/packets.js';
import { requires } from '../support/require.js';

const families = [vip, vip6];

/** Every frame of every link is tagged. Under DR the server answers by a link of its own. */
async function build(lab: Lab, method: 'NAT' | 'DR'): Promise<readonly [Host, Host, Host]> {
  const [client, director, server] = [lab.host('client'), lab.host('director'), lab.host('server')];
  await Tunnel.start(client, 'eth0', director, 'eth0', { tagged: true });
  await Tunnel.start(director, 'eth1', server, 'eth0', { tagged: true });
  await layOutChain({ client, director, server, behind: { director: 'eth1', server: 'eth0' } }, method, () =>
    Tunnel.start(client, 'eth1', server, 'eth1', { tagged: true }),
  );
  return [client, director, server];
}

async function taggedCount(director: Director): Promise<number> {
  type Stats = { passes: readonly { reason: string; count: string }[] };
  const { passes } = (await director.api('GET', '/v1/stats')).body as Stats;
  return Number(passes.find(({ reason }) => reason === 'vlan_tagged')?.count);
}

const [clientAt, clientAt6] = ['10.1.0.10', 'fd00:1::10'];

/** A SYN with a tag of VLAN 7. */
function synInVlan(mac: string, to: string): Uint8Array {
  const [source, destination] = [parseIp(to === vip ? clientAt : clientAt6), parseIp(to)];
  if (source === undefined || destination === undefined) throw new Error(to);
  const syn = buildFrame(
    { protocol: 'tcp', source, sourcePort: 4000, destination, destinationPort: 80, flags: 'S' },
    mac,
  );
  return Buffer.concat([syn.subarray(0, 12), Buffer.from([0x81, 0, 0, 7]), syn.subarray(12)]);
}

requires(...labNeeds, 'pkg:cc').describe('tagged frames', () => {
  test.each(['NAT', 'DR'] as const)('%s: request and reply with a priority tag', async (method) => {
    await using lab = await Lab.create(chainTopology);
    const [client, host, server] = await build(lab, method);
    const http = await startHttp(server);
    for (const at of method === 'DR' ? families : ['10.2.0.21', 'fd00:2::21']) {
      await startUdp(server, at, 7, 'echo');
    }
    const config = families.flatMap((at) =>
      (
        [
          [80, 'TCP'],
          [7, 'UDP'],
        ] as const
      ).map(([port, protocol]) => ({
        address: at,
        port,
        protocol,
        method,
        servers: [{ address: at === vip ? '10.2.0.21' : 'fd00:2::21', port }],
      })),
    );
    const director = await Director.start(host, configText(config));
    const captures = await Promise.all(
      (method === 'NAT' ? ['eth0', 'eth1'] : ['eth0']).map((device) => Capture.start(host, device, 'tcp')),
    );
    const { path, md5 } = makeFile(lab, 'file', 5);
    for (const at of families) {
      const { counts, failures } = await request(client, urlOf(at), 10);
      expect(failures).toEqual([]);
      expect(counts.get('server')).toBe(10);
      const payload = 'x'.repeat(8000); // in fragments
      expect(await datagram(client, at, 7, payload)).toBe(payload);
      const copy = client.file('copy');
      await client.exec(['curl', '-sSf', '--max-time', '20', '-o', copy, urlOf(at, 80, '/files/file')]);
      expect(md5Of(copy)).toBe(md5);
      await client.exec(['curl', '-sSf', '--max-time', '20', '-T', path, urlOf(at, 80, '/uploads/copy')]);
      expect(md5Of(`${http.uploadDir}/copy`)).toBe(md5);
    }
    for (const capture of captures) {
      const [syn] = await capture.lines('vlan 0 and tcp[tcpflags] & tcp-syn != 0');
      expect(syn).toMatch(/vlan 0, p 5/);
    }
    expect(await taggedCount(director)).toBe(0);

    const mac = await host.mac('eth0');
    expect((await director.cli('doctor')).stdout).toMatch(/^ok +vlan /m);
    await inject(
      client,
      'eth0',
      families.flatMap((at) => Array.from({ length: 5 }, () => synInVlan(mac, at))),
    );
    expect(await taggedCount(director)).toBe(10);
    expect((await director.cli('doctor')).stdout).toMatch(/^warning +vlan +10 frames came with a VLAN id/m);
  });
});
