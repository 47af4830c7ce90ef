// Devices that come, go, change their MAC or their name while the director runs.
// Without `interface` in the configuration it follows them all.

import { expect } from 'vitest';
import {
  configText,
  Director,
  type Host,
  Lab,
  labNeeds,
  request,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...labNeeds);

const base = topologies.nat();
/** The NAT network with a second client that has no cable yet. */
const topology = { ...base, hosts: { ...base.hosts, guest: {} } };

async function start(lab: Lab): Promise<Director> {
  await Promise.all(['server-a', 'server-b'].map((name) => startHttp(lab.host(name))));
  const servers = [serverAt(vip, 2, 0), serverAt(vip, 2, 1)];
  return await Director.start(
    lab.host('director'),
    configText([{ address: vip, port: 80, method: 'NAT', servers }]),
  );
}

/** Lays a cable from the guest to the director's new device eth2. */
async function plugIn(lab: Lab): Promise<Host> {
  const [guest, director] = [lab.host('guest'), lab.host('director')];
  await lab.cable(guest, 'eth0', director, 'eth2');
  await director.ip('addr add 10.7.0.2/24 dev eth2');
  await director.ip('link set eth2 up');
  await guest.ip('addr add 10.7.0.10/24 dev eth0');
  await guest.ip('link set eth0 up');
  await guest.ip('route add default via 10.7.0.2');
  return guest;
}

const served = async (client: Host) => (await request(client, urlOf(vip), 4, 1)).failures.length === 0;

test('a device that is added after the start carries traffic, also under another name', async () => {
  await using lab = await Lab.create(topology);
  const director = await start(lab);
  const guest = await plugIn(lab);
  await waitFor('the guest to be served', () => served(guest), { detail: () => director.log().slice(-2000) });

  // Renaming a device that is up needs Linux 6.2; older ones take it down first.
  const host = lab.host('director');
  await host.ip('link set eth2 name wan0').catch(async () => {
    await host.ip('link set eth2 down');
    await host.ip('link set eth2 name wan0');
    await host.ip('link set wan0 up');
  });
  await waitFor('the guest to be served by wan0', () => served(guest));
  await waitFor('the status to know the new name', async () => {
    type Status = { dataplane: { devices: { name: string; isAttached: boolean }[] } };
    const { dataplane } = (await director.api('GET', '/v1/status')).body as Status;
    return dataplane.devices.some((device) => device.name === 'wan0' && device.isAttached);
  });
});

test('a device that goes away takes only its own traffic with it, and may come again', async () => {
  await using lab = await Lab.create(topology);
  const director = await start(lab);
  const client = lab.host('client');
  for (let round = 0; round < 3; round++) {
    const guest = await plugIn(lab);
    await waitFor(`the guest to be served in round ${round}`, () => served(guest), {
      detail: () => director.log().slice(-2000),
    });
    await lab.host('director').ip('link del eth2');
    const { counts, failures } = await request(client, urlOf(vip), 10);
    expect(failures).toEqual([]);
    expect(Object.fromEntries(counts)).toEqual({ 'server-a': 5, 'server-b': 5 });
  }
});

test('the director’s own device changes its MAC', async () => {
  await using lab = await Lab.create(topology);
  await start(lab);
  const client = lab.host('client');
  expect(await served(client)).toBe(true);
  for (const [device, mac, peer] of [
    ['eth0', '02:00:00:00:00:a0', client],
    ['eth1', '02:00:00:00:00:a1', lab.host('server-a')],
  ] as const) {
    await lab.host('director').ip(`link set dev ${device} address ${mac}`);
    // What a gratuitous ARP would do: the neighbours ask again.
    await peer.ip('neigh flush dev eth0');
    await lab.host('server-b').ip('neigh flush dev eth0');
    await waitFor(`traffic by ${device} with its new MAC`, () => served(client));
  }
  expect((await request(client, urlOf(vip), 20)).failures).toEqual([]);
});

test('a device that is down at the start is used once it is up', async () => {
  await using lab = await Lab.create(topology);
  const host = lab.host('director');
  const client = lab.host('client');
  await host.ip('link set eth0 down');
  const director = await start(lab);
  await host.ip('link set eth0 up');
  await waitFor('the client to be served', () => served(client), {
    detail: () => director.log().slice(-2000),
  });
});
