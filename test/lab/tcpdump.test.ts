// tcpdump on the director's machine, by the very command that doctor gives: it shows a connection's packets on both sides
// and in both directions.

import { expect, test } from 'vitest';
import {
  Capture,
  configText,
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
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const cases = [
  { method: 'NAT', topology: topologies.nat(), net: 2, back: 'eth1' },
  { method: 'DR', topology: topologies.dr(), net: 1, back: 'eth0' },
] as const;
type Way = { readonly device: string; readonly direction: 'In' | 'Out'; readonly pair: string };

requires(...labNeeds).describe('tcpdump', () => {
  test.each(cases)('$method: doctor’s command shows all packets of a connection', async (one) => {
    const { method, topology, net, back } = one;
    await using lab = await Lab.create(topology);
    const [client, host] = [lab.host('client'), lab.host('director')];
    await startHttp(lab.host('server-a'));
    const families = [vip, vip6];
    const director = await Director.start(
      host,
      configText(
        families.map((address) => ({ address, port: 80, method, servers: [serverAt(address, net, 0)] })),
      ),
    );
    const { stdout } = await director.cli('doctor');
    const [, device = '', filter = ''] = /tcpdump -ni (\S+) '([^']+)'/.exec(stdout) ?? [];
    for (const address of families) {
      const server = serverAt(address, net, 0).address;
      const capture = await Capture.start(
        host,
        device,
        filter.replaceAll('VIP', address).replaceAll('SERVER', server),
      );
      expect((await request(client, urlOf(address), 1)).counts.get('server-a')).toBe(1);
      const from = address === vip ? '10.1.0.10' : 'fd00:1::10';
      const target = method === 'NAT' ? server : address;
      const ways: readonly Way[] = [
        { device: 'eth0', direction: 'In', pair: `${from}.\\d+ > ${address}.80` },
        { device: back, direction: 'Out', pair: `${from}.\\d+ > ${target}.80` },
        ...(method === 'DR'
          ? []
          : ([
              { device: back, direction: 'In', pair: `${server}.80 > ${from}.\\d+` },
              { device: 'eth0', direction: 'Out', pair: `${address}.80 > ${from}.\\d+` },
            ] as const)),
      ];
      for (const way of ways) {
        // The file has numbers: names would be those of the namespace in which it is read.
        const [link] = JSON.parse(await host.ip(`-j link show ${way.device}`)) as { ifindex: number }[];
        const wanted = new RegExp(` ${way.direction} +ifindex ${link?.ifindex} .*${way.pair}`);
        await waitFor(`${way.device} ${way.direction} ${way.pair}`, async () =>
          (await capture.lines()).some((line) => wanted.test(line)),
        );
      }
      await capture.stop();
    }
  });
});
