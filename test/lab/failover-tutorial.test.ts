// The split that the tutorials' firewalls make: both directors drop VRRP, so both are master for as long as it lasts. Each
// announces its addresses once for it and once when it ends; in between the client's entries stay, and so do downloads.

import { expect } from 'vitest';
import {
  configText,
  Dialogue,
  Director,
  directorText,
  failoverNeeds,
  nowMicros,
  Pair,
  ping,
  serveDialogue,
  serverAt,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
const port = 7000;
const vips = [vip, vip6];
const names = ['V4', 'V6'];
const textOf = (priority: number) =>
  [
    directorText([
      { name: 'V4', priority, version: 3, interval_s: 0.5, addresses: [`${vip}/32 dev eth0`] },
      { name: 'V6', priority, version: 3, interval_s: 0.5, addresses: [`${vip6}/128 dev eth0`] },
    ]),
    configText(
      vips.map((address) => ({
        address,
        port,
        method: 'DR',
        servers: [0, 1].map((index) => serverAt(address, 1, index, port)),
      })),
    ),
  ].join('\n');

/** Announcements closer together than this are one round: repeats, and what is lost is said again. */
const round_us = 2_000_000;

test('two masters behind firewalls: announced once, and downloads through either of them go on', async () => {
  await using pair = await Pair.create();
  for (const server of ['server-a', 'server-b'])
    for (const address of vips) await serveDialogue(pair.lab.host(server), address, port);
  const a = await Director.start(pair.a, textOf(150));
  const b = await Director.start(pair.b, textOf(100));
  for (const name of names) {
    await a.waitForState(name, 'MASTER');
    await b.waitForState(name, 'BACKUP');
  }
  const macs = await Promise.all([pair.a, pair.b].map((host) => host.mac('eth0')));
  /** Rounds of announcements of each address by each director since then. */
  const roundsSince = async (since: number) => {
    const all = await pair.adverts.announcements();
    return macs.map((mac) =>
      vips.map((address) => {
        const times = all
          .filter((one) => one.atMicros >= since && one.sourceMac === mac && one.address === address)
          .map(({ atMicros }) => atMicros);
        return times.filter((at, i) => at - (times[i - 1] ?? 0) > round_us).length;
      }),
    );
  };
  const cable = pair.cable('director-a');
  const cut = nowMicros();
  await cable.drop('from', 'meta l4proto 112');
  await cable.drop('to', 'meta l4proto 112');
  for (const name of names) {
    await b.waitForState(name, 'MASTER');
    for (const director of [a, b]) {
      const told = async () => (await director.router(name)).counters.reports['address-conflict'] ?? 0;
      await waitFor(`the conflict over ${name} to be told`, async () => (await told()) > 0);
    }
  }
  // Both have said it, and the last repeat is over: the last to speak has the client's entry from now on.
  await waitFor(
    'both to have announced',
    async () => {
      const lastMicros = (await pair.adverts.announcements()).at(-1)?.atMicros ?? 0;
      const rounds = await roundsSince(cut);
      return rounds.flat().every((count) => count > 0) && nowMicros() - lastMicros > 1.5 * round_us;
    },
    { timeout_s: 30 },
  );
  const settled = nowMicros();
  // Both answer the first question for an IPv6 address, and the later answer overrides (there is no pause as ARP has it): what
  // the client sends between the two would be another's. From the second on the entry stays.
  for (const address of vips) expect(await ping(pair.client, address)).toBeGreaterThan(1);
  const downloads = await Promise.all(
    vips.map((address) => Dialogue.start(pair.client, address, port, { count: 4, every_ms: 50 })),
  );
  // Longer than three of the rounds that kept the war going, and than a question to the other.
  for (const download of downloads) await download.waitForAll(settled + 20_000_000);
  expect(await roundsSince(settled)).toEqual([
    [0, 0],
    [0, 0],
  ]);
  for (const download of downloads)
    expect(download.endurance()).toEqual({ open: 4, broken: {}, answered: expect.any(Number) });
  for (const name of names) expect((await a.router(name)).state).toBe('master');

  const healed = nowMicros();
  await cable.restore();
  for (const name of names) await b.waitForState(name, 'BACKUP');
  // Where the loser has given up before the winner heard it, the next question finds out: one every ten seconds.
  await waitFor(
    'the winner to announce',
    async () => (await roundsSince(healed))[0]?.every((rounds) => rounds > 0),
    { timeout_s: 25 },
  );
});
