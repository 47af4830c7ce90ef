// A standby service, whose address another director has: its packets pass to the host, fragments too, and what was
// established before goes on when the service is ours again.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BareDataplane,
  connectError,
  datagram,
  type Host,
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
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const megabytes = 16;

requires(...labNeeds).describe('standby', () => {
  let lab: Lab;
  let client: Host;
  let director: Host;
  let server: Host;
  let dataplane: BareDataplane;

  beforeAll(async () => {
    lab = await Lab.create(topologies.nat());
    [client, director, server] = [lab.host('client'), lab.host('director'), lab.host('server-a')];
    await Promise.all([startHttp(server), startHttp(director)]);
    for (const address of [vip, vip6]) {
      await startUdp(server, serverAt(address, 2, 0).address, 7, 'name');
      await startUdp(director, address, 7, 'echo');
    }
    dataplane = await BareDataplane.start(director);
  });
  afterAll(async () => {
    await lab?.dispose();
  });

  const web = (address: string): ServiceSpec => ({
    address,
    port: 80,
    method: 'NAT',
    servers: [serverAt(address, 2, 0)],
  });
  const echo = (address: string): ServiceSpec => ({
    ...web(address),
    port: 7,
    protocol: 'UDP',
    servers: [serverAt(address, 2, 0, 7)],
  });

  /** Who answers a request: one of the servers, or the director’s own one. */
  async function served(address: string): Promise<string> {
    const { counts, failures } = await request(client, urlOf(address), 1);
    return [...counts.keys(), ...failures].join();
  }

  describe.each([vip, vip6])('%s', (address) => {
    test('its packets are the host’s: TCP, ping, datagrams in fragments', async () => {
      const long = 'x'.repeat(8000);
      const publish = (isStandby: boolean) =>
        dataplane.publish(serviceRow(web(address), isStandby), serviceRow(echo(address), isStandby));
      await publish(false);
      expect(await served(address)).toBe('server-a');
      expect(await datagram(client, address, 7, long)).toBe('server-a');
      await publish(true);
      expect(await served(address)).toBe('director');
      expect(await ping(client, address)).toBe(3);
      expect(await datagram(client, address, 7, long)).toBe(long);
      await publish(false);
      expect(await served(address)).toBe('server-a');
    });

    test('one service stands by, its neighbour on the same address does not', async () => {
      await dataplane.publish(serviceRow(web(address)), serviceRow(echo(address), true));
      expect(await served(address)).toBe('server-a');
      expect(await datagram(client, address, 7, 'short')).toBe('short');
    });

    test('an established connection goes on when the service comes back', async () => {
      const { md5 } = makeFile(lab, 'long', megabytes);
      await dataplane.publish(serviceRow(web(address)));
      const before = await dataplane.services();
      const copy = client.file('copy');
      const fetching = client.exec(['curl', '-sSf', '-o', copy, urlOf(address, 80, '/slow/long')]);
      await waitFor('the connection', async () => (await established(address)).length === 1);

      // As when another director takes over: first the address goes, or the host would answer with RST.
      const withLength = `${address}/${address.includes(':') ? 128 : 32}`;
      await director.ip(`addr del ${withLength} dev eth0`);
      await dataplane.publish(serviceRow(web(address), true));
      await waitFor('the server to miss the client’s acknowledgements', async () =>
        /\bbackoff:/.test(await server.exec(`ss -Htino sport = :80`)),
      );
      expect(await established(address)).toMatchObject([{ state: 'ESTABLISHED' }]);
      expect((await dataplane.services())[0]?.destinations).toMatchObject([{ active: 1 }]);

      await dataplane.publish(serviceRow(web(address)));
      await director.ip(`addr add ${withLength} dev eth0 nodad`);
      await fetching;
      expect(md5Of(copy)).toBe(md5);
      const after = await dataplane.services();
      expect(after[0]?.traffic.connections).toBe((before[0]?.traffic.connections ?? 0) + 1);
    });
  });

  /** Connections of the web service that transfer data. */
  async function established(address: string) {
    const all = await dataplane.connections();
    return all.filter(({ virtual, state }) => virtual.address === address && state === 'ESTABLISHED');
  }

  test('a standby service without servers refuses nobody', async () => {
    await dataplane.publish(serviceRow({ ...web(vip), servers: [] }));
    expect(await connectError(client, vip, 80)).toBe('Connection refused');
    await dataplane.publish(serviceRow({ ...web(vip), servers: [] }, true));
    expect(await served(vip)).toBe('director');
  });
});
