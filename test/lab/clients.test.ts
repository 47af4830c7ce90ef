// Whom services take: a client that `deny` names, or `allow` does not, opens no connection and hears nothing, while what
// it has open runs on; all of it live by reloads.

import { expect, test } from 'vitest';
import {
  configText,
  Dialogue,
  Director,
  datagram,
  type Host,
  Lab,
  labNeeds,
  nowMicros,
  serveDialogue,
  serverAt,
  startHttp,
  startUdp,
  topologies,
  urlOf,
  vip,
  vip6,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const modes = [
  { method: 'DR', topology: topologies.dr({ servers: 1 }), net: 1 },
  { method: 'NAT', topology: topologies.nat({ servers: 1 }), net: 2 },
] as const;

/** The client's own address and its second one, by the virtual address they speak to. */
const clients = {
  [vip]: { own: '10.1.0.10', other: '10.1.0.66' },
  [vip6]: { own: 'fd00:1::10', other: 'fd00:1::66' },
} as const;
const vips = [vip, vip6] as const;
const flowPort = 40_000;

/** curl's exit code: 0 served, 28 nothing heard. */
async function get(client: Host, address: string, source: string): Promise<number> {
  const command = ['curl', '-gs', '-o', '/dev/null', '--connect-timeout', '1', '--interface', source];
  return (await client.tryExec([...command, urlOf(address)])).code ?? -1;
}

/** What a datagram from a port that was never used before is answered. */
async function ask(client: Host, address: string, source: string): Promise<string> {
  const [family, to, from] = address.includes(':')
    ? ['UDP6', `[${address}]`, `[${source}]`]
    : ['UDP4', address, source];
  const words = ['socat', '-t1', '-', `${family}:${to}:53,bind=${from}`];
  return (await client.tryExec(words, { stdin: 'x', endsAtOutput: true })).stdout;
}

type Status = { dataplane: { drops: readonly { reason: string; count: string }[] } };

async function denied(director: Director): Promise<number> {
  const { dataplane } = (await director.api('GET', '/v1/status')).body as Status;
  return Number(dataplane.drops.find(({ reason }) => reason === 'client_denied')?.count ?? 0);
}

requires(...labNeeds, 'pkg:cc').describe('clients', () => {
  test.each(modes)(
    '$method: only new connections are refused, in silence, as the lists say',
    async (mode) => {
      const { method, topology, net } = mode;
      await using lab = await Lab.create(topology);
      const [client, server] = [lab.host('client'), lab.host('server-a')];
      for (const address of vips) {
        const length = address === vip ? 24 : 64;
        await client.exec(
          `ip address add ${clients[address].other}/${length} dev eth0${address === vip ? '' : ' nodad'}`,
        );
        const bound = method === 'DR' ? address : serverAt(address, net, 0).address;
        await startUdp(server, bound, 53, 'name');
        await serveDialogue(server, bound, 9000);
      }
      await startHttp(server);
      const services = vips.flatMap((address) =>
        (
          [
            ['TCP', 80],
            ['TCP', 9000],
            ['UDP', 53],
          ] as const
        ).map(([protocol, port]) => ({
          address,
          port,
          protocol,
          method,
          servers: [serverAt(address, net, 0, port)],
        })),
      );
      const withLists = (...lines: string[]) => configText(services, `director {\n${lines.join('\n')}\n}`);
      const director = await Director.start(lab.host('director'), configText(services));
      const expectServed = async (isOwnServed: boolean, isOtherServed: boolean) => {
        for (const address of vips) {
          const { own, other } = clients[address];
          for (const [source, isServed] of [
            [own, isOwnServed],
            [other, isOtherServed],
          ] as const) {
            const before = await denied(director);
            expect([source, await get(client, address, source)]).toEqual([source, isServed ? 0 : 28]);
            const afterTcp = await denied(director);
            expect([source, await ask(client, address, source)]).toEqual([
              source,
              isServed ? 'server-a' : '',
            ]);
            expect([afterTcp > before, (await denied(director)) > afterTcp]).toEqual([!isServed, !isServed]);
          }
        }
      };

      await expectServed(true, true);
      const dialogues = await Promise.all(
        vips.map((address) => Dialogue.start(client, address, 9000, { count: 4, every_ms: 20 })),
      );
      for (const address of vips)
        expect(await datagram(client, address, 53, 'x', { from: flowPort })).toBe('server-a');

      const refusal = await director.reload(withLists('deny 10.1.0.0/26', 'deny {', 'fd00:1::10', '}'));
      expect(refusal.stdout).toContain('clients: deny 10.1.0.0/26 fd00:1::10/128 added');
      await expectServed(false, true);
      // What was open is open.
      for (const dialogue of dialogues) await dialogue.waitForAll(nowMicros());
      for (const address of vips)
        expect(await datagram(client, address, 53, 'x', { from: flowPort })).toBe('server-a');

      // A longer network decides, and whom nobody names is out.
      await director.reload(
        withLists('allow 10.1.0.10 10.1.0.66 fd00:1::/64', 'deny 10.1.0.0/26 fd00:1::66'),
      );
      for (const address of vips) expect(await get(client, address, clients[address].own)).toBe(0);
      expect(await get(client, vip, clients[vip].other)).toBe(0);
      expect(await get(client, vip6, clients[vip6].other)).toBe(28);
      await director.reload(withLists('allow 10.1.0.66 fd00:1::66'));
      await expectServed(false, true);

      await director.reload(configText(services));
      await expectServed(true, true);
      for (const dialogue of dialogues) expect(dialogue.endurance()).toMatchObject({ open: 4, broken: {} });
    },
  );
});
