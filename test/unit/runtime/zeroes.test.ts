// Counters that begin anew, while the ones below only grow.

import { describe, expect, test } from 'vitest';
import type { ServiceId } from '../../../src/model/service-id.js';
import type { ServiceView } from '../../../src/runtime/views.js';
import { Zeroes } from '../../../src/runtime/zeroes.js';
import { endpoint, web } from '../../support/test-director.js';

const traffic = (count: number) => ({
  connections: BigInt(count),
  inPackets: BigInt(10 * count),
  outPackets: 0n,
  inBytes: BigInt(1000 * count),
  outBytes: 0n,
});

const dns = { ...web, protocol: 'udp', port: 53 } as const;

/** Only what counts here. */
function view(id: ServiceId, own: number, server: number): ServiceView {
  const row = { ...endpoint(1), traffic: traffic(server) };
  return { id, traffic: traffic(own), destinations: [row] } as unknown as ServiceView;
}

const counts = (views: readonly ServiceView[]) =>
  views.map((one) => [one.traffic.connections, one.destinations[0]?.traffic.connections].map(Number));

describe('zeroed counters', () => {
  test('begin anew for the services that are meant, and their servers', () => {
    const zeroes = new Zeroes();
    zeroes.begin([view(web, 5, 3), view(dns, 7, 7)], (key) => key.startsWith('udp'));
    expect(counts(zeroes.read([view(web, 6, 4), view(dns, 9, 8)]))).toEqual([
      [6, 4],
      [2, 1],
    ]);
    zeroes.begin([view(web, 6, 4), view(dns, 9, 8)], () => true);
    const [first] = zeroes.read([view(web, 7, 4), view(dns, 9, 8)]);
    expect(first?.traffic).toEqual(traffic(1));
  });

  test('of a server that came again under the same name are what it counts itself', () => {
    const zeroes = new Zeroes();
    zeroes.begin([view(web, 5, 5)], () => true);
    expect(counts(zeroes.read([view(web, 6, 2)]))).toEqual([[1, 2]]);
  });

  test('are forgotten with the service', () => {
    const zeroes = new Zeroes();
    zeroes.begin([view(web, 5, 5)], () => true);
    zeroes.begin([view(dns, 1, 1)], () => false);
    expect(counts(zeroes.read([view(web, 9, 9)]))).toEqual([[9, 9]]);
  });
});
