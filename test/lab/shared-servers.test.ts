// Two NAT services whose servers are the same, and clients with few ports: a port that is used on the one is soon used on
// the other, while the server's side of the old connection is in TIME_WAIT.

import { expect, test } from 'vitest';
import {
  configText,
  Director,
  isAnswer,
  Lab,
  labNeeds,
  Meter,
  serverAt,
  startHttp,
  topologies,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const rate = 200;
/** Of each service; four services. */
const connections = 2000;
const ports = [80, 81];
const families = [vip, vip6];

type Stats = {
  readonly drops: readonly { readonly reason: string; readonly count: string }[];
  readonly flowEvents: readonly { readonly event: string; readonly count: string }[];
};

requires(...labNeeds, 'pkg:cc').describe('two NAT services with the same servers', () => {
  test(`${connections * ports.length * families.length} connections from 800 ports: none waits for a TIME_WAIT`, async () => {
    await using lab = await Lab.create(topologies.nat());
    const client = lab.host('client');
    await Promise.all(['server-a', 'server-b'].map((name) => startHttp(lab.host(name))));
    // Without an offset of its own for each pair of ports the time stamps of a client grow from one connection to the next,
    // and a server lets the new one in.
    const settings = ['ip_local_port_range=20000\t20799', 'tcp_tw_reuse=1', 'tcp_timestamps=2'];
    await client.exec(['sysctl', '-q', '-w', ...settings.map((setting) => `net.ipv4.${setting}`)]);
    const director = await Director.start(
      lab.host('director'),
      configText(
        families.flatMap((address) =>
          ports.map((port) => ({
            address,
            port,
            method: 'NAT' as const,
            servers: [0, 1].map((index) => serverAt(address, 2, index)),
          })),
        ),
      ),
    );
    // A SYN that is dropped is sent again after a second: 0.9 s without an answer is a failure here.
    const meters = await Promise.all(
      families.flatMap((address) =>
        ports.map((port) => Meter.start(client, address, { port, rate, timeout_ms: 900 })),
      ),
    );
    for (const meter of meters) {
      await waitFor('all requests to have ended', () => meter.record().length >= connections, {
        timeout_s: 60,
      });
      const failures = meter.record().filter((asked) => !isAnswer(asked));
      expect(failures).toEqual([]);
    }
    const { drops, flowEvents } = (await director.api('GET', '/v1/stats')).body as Stats;
    expect(drops.find(({ reason }) => reason === 'reply_tuple_taken')?.count).toBe('0');
    // It was about something: ports did meet.
    expect(Number(flowEvents.find(({ event }) => event === 'closed_gave_way')?.count)).toBeGreaterThan(100);
  });
});
