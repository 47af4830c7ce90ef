// The port's promises, kept by every data plane. An implementation is one row of the table.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import { createNativeDataplane } from '../../src/dataplane/native.js';
import type { Dataplane, DataplaneOptions } from '../../src/dataplane/port.js';
import type { IpAddress } from '../../src/model/address.js';
import { everyClient } from '../../src/model/client-rules.js';
import {
  type Destination,
  defaultPolicy,
  emptyTable,
  type ForwardingTable,
  type Service,
} from '../../src/model/forwarding-table.js';
import { type ServiceId, serviceKey } from '../../src/model/service-id.js';

type Implementation = {
  readonly name: string;
  readonly create: () => Dataplane;
};

const implementations: readonly Implementation[] = [
  { name: 'memory', create: () => new MemoryDataplane() },
  // Takes over the devices of the namespace it starts in: test/lab/contract.test.ts runs this file in one of its own.
  ...(process.env.UVS_CONTRACT_NATIVE === '1' ? [{ name: 'native', create: createNativeDataplane }] : []),
];

const options: DataplaneOptions = { interfaces: undefined, connections: 4_096, cpu: undefined };
const loopback = {
  prefixLength: 32,
  device: 'eth0',
  label: undefined,
  scope: 'global',
  broadcast: undefined,
} as const;

const destination = (host: number, fields: Partial<Destination> = {}): Destination => ({
  address: `198.18.1.${host}` as IpAddress,
  port: 80,
  method: 'nat',
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  ...fields,
});

const service = (port: number, hosts: readonly number[], fields: Partial<Service> = {}): Service => ({
  id: { kind: 'endpoint', protocol: 'tcp', address: '198.18.0.1' as IpAddress, port },
  scheduler: 'rr',
  flags: [],
  onePacket: false,
  persistence: undefined,
  isDraining: false,
  isStandby: false,
  destinations: hosts.map((host) => destination(host)),
  ...fields,
});

const table = (...services: readonly Service[]): ForwardingTable => ({
  services,
  closedAddresses: [],
  clients: everyClient,
  policy: defaultPolicy,
});

describe.each(implementations)('$name', ({ create }) => {
  const running: Dataplane[] = [];
  const started = async (): Promise<Dataplane> => {
    const dataplane = create();
    running.push(dataplane);
    await dataplane.start(options, () => {});
    return dataplane;
  };
  afterEach(async () => {
    for (const dataplane of running.splice(0)) await dataplane.stop();
  });
  test('each publish makes a later generation, which is then in force', async () => {
    const dataplane = await started();
    const first = await dataplane.publish(emptyTable);
    const second = await dataplane.publish(table(service(80, [1, 2])));
    expect(second).toBeGreaterThan(first);
    expect(dataplane.status().generation).toBe(second);
  });

  test('services come back as published, in their order', async () => {
    const dataplane = await started();
    await dataplane.publish(table(service(80, [2, 1]), service(443, [])));
    const rows = [...dataplane.services()];
    expect(rows.map(({ id }) => serviceKey(id))).toEqual(['tcp 198.18.0.1:80', 'tcp 198.18.0.1:443']);
    expect(rows[0]?.destinations.map(({ address }) => address)).toEqual(['198.18.1.2', '198.18.1.1']);
    expect(rows[0]?.destinations[0]).toMatchObject({
      active: 0,
      inactive: 0,
      persistent: 0,
      isOverloaded: false,
    });
    expect(rows[0]?.traffic).toEqual({
      connections: 0n,
      inPackets: 0n,
      outPackets: 0n,
      inBytes: 0n,
      outBytes: 0n,
    });
  });

  test('a service of a kind that is not in effect yet is refused, and the table before stays', async () => {
    const dataplane = await started();
    const generation = await dataplane.publish(table(service(80, [1])));
    const id: ServiceId = { kind: 'mark', mark: 7, family: 6 };
    await expect(dataplane.publish(table(service(80, [1], { id })))).rejects.toMatchObject({
      code: 'INVALID_CHANGE',
    });
    expect(dataplane.status().generation).toBe(generation);
    expect([...dataplane.services()].map(({ id }) => serviceKey(id))).toEqual(['tcp 198.18.0.1:80']);
  });

  test('a service of every port, which is persistent', async () => {
    const dataplane = await started();
    const id: ServiceId = { kind: 'any-port', protocol: 'tcp', address: '198.18.0.1' as IpAddress };
    const persistence = { timeout_s: 50, prefixLength: 24 };
    const every = service(0, [], { id, persistence, destinations: [destination(1, { port: 0 })] });
    await dataplane.publish(table(every, service(80, [1])));
    const rows = [...dataplane.services()];
    expect(rows.map((row) => serviceKey(row.id))).toEqual(['tcp 198.18.0.1:0', 'tcp 198.18.0.1:80']);
    expect(rows[0]?.destinations).toMatchObject([{ address: '198.18.1.1', port: 0 }]);
  });

  test('a later table replaces the one before', async () => {
    const dataplane = await started();
    await dataplane.publish(table(service(80, [1, 2])));
    await dataplane.publish(
      table(service(80, [], { destinations: [destination(2, { weight: 9, method: 'dr' })] })),
    );
    expect([...dataplane.services()][0]?.destinations).toMatchObject([
      { address: '198.18.1.2', weight: 9, method: 'dr' },
    ]);
  });

  test('a service that stands by keeps its row, and comes back from it', async () => {
    const dataplane = await started();
    const rows = () =>
      [...dataplane.services()].map(({ id, destinations }) => [
        id.kind === 'endpoint' && id.port,
        destinations.length,
      ]);
    for (const isStandby of [false, true, true, false]) {
      const generation = await dataplane.publish(
        table(service(80, [1, 2], { isStandby }), service(443, [1])),
      );
      expect(dataplane.status().generation).toBe(generation);
      expect(rows()).toEqual([
        [80, 2],
        [443, 1],
      ]);
    }
  });

  test('there are no connections without traffic', async () => {
    const dataplane = await started();
    expect(await dataplane.connections(10)).toEqual({ connections: [], next: undefined });
  });

  test('the connection limit is the one asked for', async () => {
    const dataplane = await started();
    expect(dataplane.status().connectionLimit).toBeGreaterThanOrEqual(options.connections);
  });

  test('an address is there after it was added, also twice, and gone after it was removed, also twice', async () => {
    const dataplane = await started();
    const address = { ...loopback, address: '198.18.0.1' as IpAddress };
    await dataplane.addAddress(address);
    await dataplane.addAddress(address);
    await vi.waitFor(() =>
      expect(dataplane.localAddresses()).toContainEqual({
        address: address.address,
        prefixLength: address.prefixLength,
        device: address.device,
      }),
    );
    await dataplane.removeAddress(address);
    await dataplane.removeAddress(address);
    await vi.waitFor(() =>
      expect(dataplane.localAddresses()).not.toContainEqual({
        address: address.address,
        prefixLength: address.prefixLength,
        device: address.device,
      }),
    );
  });

  test('an address on a device that is not there is refused', async () => {
    const dataplane = await started();
    const address = { ...loopback, address: '198.18.0.1' as IpAddress, device: 'nodev0' };
    await expect(dataplane.addAddress(address)).rejects.toMatchObject({ code: 'DEVICE_MISSING' });
  });

  test('a device that is not there stops the start', async () => {
    const dataplane = create();
    running.push(dataplane);
    const start = dataplane.start({ ...options, interfaces: ['nodev0'] }, () => {});
    await expect(start).rejects.toMatchObject({ code: 'DEVICE_MISSING' });
  });

  test('a second start is refused', async () => {
    const dataplane = await started();
    await expect(dataplane.start(options, () => {})).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
  });

  test('stop may be called twice; nothing is published after it', async () => {
    const dataplane = await started();
    await dataplane.stop();
    await dataplane.stop();
    await expect(dataplane.publish(emptyTable)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});

describe('memory alone', () => {
  test('counters stay over publishes while the row does', async () => {
    const dataplane = new MemoryDataplane();
    await dataplane.start(options, () => {});
    const web = service(80, [1, 2]);
    await dataplane.publish(table(web));
    dataplane.setCounts(web.id, destination(1), { active: 3 });
    dataplane.addTraffic(web.id, destination(1), { inPackets: 7n });
    await dataplane.publish(table(service(80, [1, 2], { isStandby: true })));
    await dataplane.publish(table(service(443, []), service(80, [2, 1])));
    const [, row] = dataplane.services();
    expect(row?.traffic.inPackets).toBe(7n);
    expect(row?.destinations[1]).toMatchObject({ active: 3, traffic: { inPackets: 7n } });
    dataplane.zero();
    expect([...dataplane.services()][1]?.traffic.inPackets).toBe(0n);
  });

  test('beyond its limits the old table stays', async () => {
    const dataplane = new MemoryDataplane({ services: 1, destinations: 2, clientNetworks: 1 });
    await dataplane.start(options, () => {});
    await dataplane.publish(table(service(80, [1, 2])));
    const clients = { allow: ['192.0.2.1/32'], deny: ['192.0.2.0/24'] };
    const refused = [
      table(service(80, []), service(443, [])),
      table(service(80, [1, 2, 3])),
      { ...table(service(80, [])), clients },
    ];
    for (const next of refused)
      await expect(dataplane.publish(next)).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    expect([...dataplane.services()][0]?.destinations.length).toBe(2);
  });
});
