// Clients and real servers behind devices whose frames begin at the IP header, as those of tun, WireGuard, PPP, IP in IP
// and GRE do: NAT and DR, both families, either side, large frames and small ones. And a device that can't be served.

import { expect, test } from 'vitest';
import { chainTopology, layOutChain } from '../support/lab/chain.js';
import {
  cliFile,
  configText,
  connectError,
  Director,
  datagram,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  request,
  type ServiceSpec,
  startHttp,
  startUdp,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { Tunnel } from '../support/lab/tunnel.js';
import { requires } from '../support/require.js';

const suite = requires(...labNeeds, 'pkg:cc');

type Case = {
  readonly method: 'NAT' | 'DR';
  readonly offload: boolean;
  readonly clientBy: 'tunnel' | 'cable';
};
const cases: readonly Case[] = [
  { method: 'NAT', offload: true, clientBy: 'cable' },
  { method: 'NAT', offload: false, clientBy: 'tunnel' },
  { method: 'DR', offload: true, clientBy: 'tunnel' },
  { method: 'DR', offload: false, clientBy: 'cable' },
];

async function build(lab: Lab, { method, offload, clientBy }: Case): Promise<void> {
  const [client, director, server] = [lab.host('client'), lab.host('director'), lab.host('server')];
  if (clientBy === 'cable') await lab.cable(client, 'eth0', director, 'eth0');
  else await Tunnel.start(client, 'eth0', director, 'eth0', { offload });
  await Tunnel.start(director, 'tun0', server, 'tun0', { offload });
  await layOutChain({ client, director, server, behind: { director: 'tun0', server: 'tun0' } }, method, () =>
    lab.cable(client, 'eth1', server, 'eth1'),
  );
}

suite.describe('devices without a link layer', () => {
  test.each(cases)('$method, client by $clientBy, large frames: $offload', async (mode) => {
    await using lab = await Lab.create(chainTopology);
    await build(lab, mode);
    const [client, server] = [lab.host('client'), lab.host('server')];
    const http = await startHttp(server);
    const service = (at: string, port: number, protocol: 'TCP' | 'UDP'): ServiceSpec => ({
      address: at,
      port,
      protocol,
      method: mode.method,
      servers: [{ address: at === vip ? '10.2.0.21' : 'fd00:2::21', port }],
    });
    for (const at of mode.method === 'DR' ? [vip, vip6] : ['10.2.0.21', 'fd00:2::21']) {
      await startUdp(server, at, 7, 'echo');
    }
    const services = [vip, vip6].flatMap((at) => [service(at, 80, 'TCP'), service(at, 7, 'UDP')]);
    const director = await Director.start(lab.host('director'), configText(services));
    const { path, md5 } = makeFile(lab, 'file', 10);
    for (const at of [vip, vip6]) {
      const { counts, failures } = await request(client, urlOf(at), 10);
      expect(failures).toEqual([]);
      expect(counts.get('server')).toBe(10);
      expect(await datagram(client, at, 7, 'who')).toBe('who');
      const payload = 'x'.repeat(8000); // in fragments
      expect(await datagram(client, at, 7, payload)).toBe(payload);
      const copy = client.file('copy');
      const curl = ['curl', '-sSf', '--max-time', '20'];
      await client.exec([...curl, '-o', copy, urlOf(at, 80, '/files/file')]);
      expect(md5Of(copy)).toBe(md5);
      await client.exec([...curl, '-T', path, urlOf(at, 80, '/uploads/copy')]);
      expect(md5Of(`${http.uploadDir}/copy`)).toBe(md5);
    }
    expect(director.log()).not.toContain('warn ');
  });

  test('a server behind a device that can’t be served ends the start with its name, and the device’s', async () => {
    await using lab = await Lab.create(chainTopology);
    const [host, server] = [lab.host('director'), lab.host('server')];
    const infiniband = 32;
    await Tunnel.start(host, 'ib0', server, 'ib0', { type: infiniband });
    await host.ip('addr add 10.2.0.1/24 dev ib0');
    await host.ip('link set ib0 up');
    const service = {
      address: vip,
      port: 80,
      method: 'NAT',
      servers: [{ address: '10.2.0.21', port: 80 }],
    } as const;
    const config = configText([service]);
    const director = Director.launch(host, config);
    expect((await director.process.exited).code).toBe(1);
    expect(director.log()).toMatch(/real server 10\.2\.0\.21 .*ib0/);
    const doctor = await host.tryExec(['node', cliFile, 'doctor', '-f', director.configFile]);
    expect(doctor.stdout).toMatch(/^error +devices +.*10\.2\.0\.21.*ib0/m);
  });

  test('what is given back to the host and what we answer goes by them, too', async () => {
    await using lab = await Lab.create(chainTopology);
    await build(lab, { method: 'DR', offload: false, clientBy: 'tunnel' });
    const [client, host] = [lab.host('client'), lab.host('director')];
    await startHttp(host);
    const services = [vip, vip6].flatMap((at): readonly ServiceSpec[] => [
      {
        address: at,
        port: 80,
        method: 'DR',
        servers: [{ address: at === vip ? '10.1.0.2' : 'fd00:1::2', port: 80 }],
      },
      {
        address: at,
        port: 81,
        method: 'DR',
        servers: [{ address: at === vip ? '10.2.0.21' : 'fd00:2::21', port: 81, weight: 0 }],
      },
    ]);
    await Director.start(host, configText(services));
    for (const at of [vip, vip6]) {
      const { counts, failures } = await request(client, urlOf(at), 10);
      expect(failures).toEqual([]);
      expect(counts.get('director')).toBe(10);
      expect(await connectError(client, at, 81)).toMatch(/refused/i);
    }
  });
});
