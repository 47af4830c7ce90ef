// no_accept (RFC 9568 Accept_Mode False): at the virtual addresses only services answer, the host itself does not, and
// neighbours still find the way there.

import { expect } from 'vitest';
import {
  connectError,
  Director,
  directorText,
  failoverNeeds,
  Pair,
  ping,
  request,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
const fast = { version: 3, interval_s: 0.1, priority: 150 } as const;
const own = ['10.1.0.2', 'fd00:1::2'] as const;

test('no_accept: services answer at the addresses, the host does not', async () => {
  await using pair = await Pair.create();
  const text = (lines: readonly string[]) =>
    directorText([
      { ...fast, name: 'V4', addresses: [`${vip}/32`], lines },
      { ...fast, name: 'V6', addresses: [`${vip6}/128`], lines },
    ]);
  const director = await Director.start(pair.a, text(['no_accept']));
  for (const name of ['V4', 'V6']) await director.waitForState(name, 'MASTER');

  for (const [address, self] of [
    [vip, own[0]],
    [vip6, own[1]],
  ] as const) {
    // IPv6: the client finds the address by neighbour discovery.
    expect((await request(pair.client, urlOf(address), 20)).failures).toEqual([]);
    expect(await ping(pair.client, address)).toBe(0);
    expect(await connectError(pair.client, address, 81)).toBe('Connection timed out');
    expect(await ping(pair.client, self)).toBe(3);
    expect(await connectError(pair.client, self, 81)).toBe('Connection refused');
  }
  expect(await closedCount(director)).toBeGreaterThan(0n);

  expect((await director.reload(text([]))).code).toBe(0);
  for (const address of [vip, vip6]) {
    await waitFor(`${address} to answer`, async () => (await ping(pair.client, address, 1)) === 1);
  }
  expect((await director.stop()).code).toBe(0);
});

/** Packets that were for the host itself at a closed address. */
async function closedCount(director: Director): Promise<bigint> {
  const { body } = await director.api('GET', '/v1/status');
  const { drops } = (body as { dataplane: { drops: { reason: string; count: string }[] } }).dataplane;
  return BigInt(drops.find(({ reason }) => reason === 'closed_address')?.count ?? -1);
}
