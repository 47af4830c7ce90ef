// How long it takes until a changed table is in force: a failover waits for it before it takes an address. One service
// goes to standby and back, in a table that is otherwise as it was, on a native data plane without devices.
// Runs itself again in a network namespace of its own, which is gone with the process.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createNativeDataplane } from '../../src/dataplane/native.js';
import type { Dataplane } from '../../src/dataplane/port.js';
import type { IpAddress } from '../../src/model/address.js';
import { everyClient } from '../../src/model/client-rules.js';
import { defaultPolicy, type ForwardingTable, type Service } from '../../src/model/forwarding-table.js';
import { median } from '../statistics.js';

export type Latency = {
  readonly services: number;
  /** Of each service. */
  readonly servers: number;
  readonly median_ms: number;
  readonly worst_ms: number;
};

const sizes = [
  { services: 10, servers: 10 },
  { services: 1000, servers: 10 },
] as const;

/** Publishes `rounds` times, each once the worker is idle again, as a failover finds it. */
export async function measureLatency(
  dataplane: Dataplane,
  services: number,
  servers: number,
  rounds: number,
): Promise<Latency> {
  const rows = Array.from({ length: services }, (_, index) => service(index, servers));
  const taken: number[] = [];
  await dataplane.publish(tableOf(rows));
  for (let round = 0; round < rounds; round++) {
    const place = round % services;
    rows[place] = { ...(rows[place] as Service), isStandby: !rows[place]?.isStandby };
    await new Promise((resolve) => setTimeout(resolve, 5));
    const since = performance.now();
    await dataplane.publish(tableOf(rows));
    taken.push(performance.now() - since);
  }
  return { services, servers, median_ms: median(taken), worst_ms: Math.max(...taken) };
}

export const publishBench = {
  about: 'how long until a changed table is in force (--rounds 200)',
  run: async (args: readonly string[]): Promise<number> => {
    const { values } = parseArgs({
      args: [...args],
      options: { rounds: { type: 'string', default: '200' } },
    });
    const script = fileURLToPath(import.meta.url);
    const command = ['-n', process.execPath, '--import', 'tsx', script, values.rounds];
    return spawnSync('unshare', command, { stdio: 'inherit' }).status ?? 1;
  },
};

function service(index: number, servers: number): Service {
  return {
    id: {
      kind: 'endpoint',
      protocol: 'tcp',
      address: `10.0.${index >> 8}.${index & 255}` as IpAddress,
      port: 80,
    },
    scheduler: 'wlc',
    flags: [],
    onePacket: false,
    persistence: undefined,
    isDraining: false,
    isStandby: false,
    destinations: Array.from({ length: servers }, (_, i) => ({
      address: `10.${1 + (index >> 8)}.${index & 255}.${i + 1}` as IpAddress,
      port: 80,
      method: 'nat',
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
    })),
  };
}

function tableOf(rows: readonly Service[]): ForwardingTable {
  return { services: [...rows], closedAddresses: [], clients: everyClient, policy: defaultPolicy };
}

async function main(rounds: number): Promise<void> {
  const dataplane = createNativeDataplane();
  await dataplane.start({ interfaces: undefined, connections: 1_000_000, cpu: undefined }, () => {});
  console.log('services  servers each  median ms  worst ms');
  for (const { services, servers } of sizes) {
    const { median_ms, worst_ms } = await measureLatency(dataplane, services, servers, rounds);
    const cells = [services, servers, median_ms.toFixed(2), worst_ms.toFixed(2)];
    console.log(cells.map((cell, i) => String(cell).padStart([8, 14, 11, 10][i] ?? 0)).join(''));
  }
  await dataplane.stop();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(Number(process.argv[2]));
