// use_vmac while the director runs: a reload that renames the device, turns it on and off or moves it to another interface,
// and a hand that sets it down. Each in both families, against a real kernel.

import { expect } from 'vitest';
import {
  Director,
  directorText,
  failoverNeeds,
  hasAddress,
  Pair,
  type RouterSpec,
  type RouterStatus,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);

const fast = { version: 3, interval_s: 0.1, priority: 150 } as const;
const macs: Readonly<Record<string, string>> = { [vip]: '00:00:5e:00:01:33', [vip6]: '00:00:5e:00:02:33' };

/** Both families; `lines` of each. */
function text(v4: readonly string[], v6: readonly string[], more: Partial<RouterSpec> = {}): string {
  return directorText([
    { ...fast, name: 'V4', addresses: [`${vip}/32`], lines: v4, ...more },
    { ...fast, name: 'V6', addresses: [`${vip6}/128`], lines: v6, ...more },
  ]);
}

async function startPair(pair: Pair, v4: readonly string[], v6: readonly string[]): Promise<Director> {
  const director = await Director.start(pair.a, text(v4, v6));
  for (const name of ['V4', 'V6']) await director.waitForState(name, 'MASTER');
  for (const address of [vip, vip6]) await waitFor(address, () => hasAddress(pair.a, address));
  const peer = await Director.start(pair.b, text(v4, v6, { priority: 100 }));
  for (const name of ['V4', 'V6']) await peer.waitForState(name, 'BACKUP');
  return director;
}

const becameMaster = ({ counters }: RouterStatus) => counters.becameMaster;

/** Nobody else has been master meanwhile. */
async function expectKept(director: Director): Promise<void> {
  for (const name of ['V4', 'V6']) {
    await director.waitForState(name, 'MASTER');
    expect(becameMaster(await director.router(name))).toBe(1);
  }
  expect(director.log()).not.toMatch(/→ fault|can't|nobody will undo/);
}

test('a reload gives the devices other names: mastership, addresses and clients stay', async () => {
  await using pair = await Pair.create();
  const director = await startPair(pair, ['use_vmac jetty4'], ['use_vmac jetty6']);
  for (const address of [vip, vip6]) {
    const [before, after] =
      address === vip
        ? [
            ['jetty4', 'jetty6'],
            ['quay4', 'jetty6'],
          ]
        : [
            ['quay4', 'jetty6'],
            ['jetty6', 'quay4'],
          ];
    const outage = await pair.outageDuring(async () => {
      const [v4 = '', v6 = ''] = after ?? [];
      expect((await director.reload(text([`use_vmac ${v4}`], [`use_vmac ${v6}`]))).code).toBe(0);
    }, address);
    expect(outage.names, `${before} to ${after}`).toEqual(['server-a', 'server-b']);
    const devices = (await pair.a.devices()).filter((device) => /jetty|quay|old/.test(device));
    expect(devices.sort()).toEqual([...(after ?? [])].sort());
    expect(await pair.client.ip(`neigh show ${address}`)).toContain(macs[address]);
    for (const one of [vip, vip6]) await waitFor(one, () => hasAddress(pair.a, one));
    await expectKept(director);
  }
  expect((await director.stop()).code).toBe(0);
  expect((await pair.a.devices()).filter((device) => /jetty|quay|old/.test(device))).toEqual([]);
});

test('a reload turns use_vmac on and off again: the address moves and mastership stays', async () => {
  await using pair = await Pair.create();
  const director = await startPair(pair, [], []);
  for (const lines of [['use_vmac'], []]) {
    expect((await director.reload(text(lines, lines))).code).toBe(0);
    for (const [address, mac] of Object.entries(macs)) {
      await waitFor(`the client to know ${address}`, async () => {
        await pair.outageDuring(async () => {}, address);
        return (await pair.client.ip(`neigh show ${address}`)).includes(mac) === lines.length > 0;
      });
    }
    await expectKept(director);
  }
  expect((await pair.a.devices()).filter((device) => /\.51/.test(device))).toEqual([]);
});

test('a reload that changes `interface` moves the device: adverts and addresses are on the new network', async () => {
  await using pair = await Pair.create();
  await pair.lab.cable(pair.client, 'eth1', pair.a, 'eth1');
  for (const [host, end] of [
    [pair.client, 10],
    [pair.a, 2],
  ] as const) {
    await host.ip(`addr add 10.9.0.${end}/24 dev eth1`);
    await host.ip('link set eth1 up');
  }
  const lines = ['use_vmac jetty0'];
  const config = (device: string) => directorText([{ ...fast, device, addresses: [`${vip}/32`], lines }]);
  const director = await Director.start(pair.a, config('eth0'));
  await director.waitForState('VI_1', 'MASTER');
  expect((await director.reload(config('eth1'))).code).toBe(0);
  await waitFor('the one on eth1 to be alone, and master', async () => {
    const { virtualRouters } = await director.failover();
    return virtualRouters.length === 1 && virtualRouters[0]?.state === 'master';
  });
  await waitFor('one device', async () => {
    const shown = await pair.a.ip('-o link show type macvlan');
    return shown.trim().split('\n').length === 1 && shown.includes('jetty0@eth1');
  });
  await waitFor('the address', async () =>
    (await pair.a.ip('-o addr show dev jetty0')).includes(`${vip}/32`),
  );
  await waitFor('an answer', async () => {
    return (await pair.client.tryExec(`ping -n -c 1 -W 1 -I eth1 ${vip}`)).stdout.includes('1 received');
  });
  expect(await pair.client.ip(`neigh show ${vip} dev eth1`)).toContain(macs[vip]);
  expect(director.log()).not.toMatch(/→ fault|can't/);
  expect((await director.stop()).code).toBe(0);
});

test('a device that somebody sets down is put up again, with its addresses', async () => {
  await using pair = await Pair.create();
  const director = await startPair(pair, ['use_vmac jetty4'], ['use_vmac jetty6']);
  for (const [name, device, address] of [
    ['V4', 'jetty4', vip],
    ['V6', 'jetty6', vip6],
  ] as const) {
    await pair.a.ip(`link set ${device} down`);
    await waitFor(`${device} to be up`, async () =>
      /[<,]UP[,>]/.test(await pair.a.ip(`link show ${device}`)),
    );
    await waitFor(address, async () => (await pair.a.ip(`-o addr show dev ${device}`)).includes(address));
    expect((await pair.outageDuring(async () => {}, address)).names).toEqual(['server-a', 'server-b']);
    expect((await director.router(name)).counters.reports['put-back']).toBeGreaterThan(0);
  }
  await expectKept(director);
});
