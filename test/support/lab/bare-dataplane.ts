// A data plane of a lab host without a director above it: tests publish tables themselves, so that they can set what no
// configuration says. The other end is dataplane-process.ts.

import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ConnectionRecord, DeviceStatus } from '../../../src/dataplane/port.js';
import type { IpAddress } from '../../../src/model/address.js';
import { everyClient } from '../../../src/model/client-rules.js';
import { defaultPolicy, type Service } from '../../../src/model/forwarding-table.js';
import { addressService } from '../../../src/model/service-id.js';
import type { ServiceSpec } from './config.js';
import type { Question } from './dataplane-process.js';
import { repository } from './director.js';
import type { Host } from './lab.js';
import type { TrackedProcess } from './process.js';

/** What a test reads of a service's counters. */
export type CountedService = {
  readonly port: number;
  readonly traffic: { readonly connections: number; readonly inPackets: number; readonly outPackets: number };
  readonly destinations: readonly { readonly active: number; readonly inactive: number }[];
};

export class BareDataplane {
  private constructor(
    private readonly socket: string,
    readonly process: TrackedProcess,
  ) {}

  /** Attached to `interfaces`, or to every device; the table is empty. */
  static async start(host: Host, interfaces: readonly string[] = []): Promise<BareDataplane> {
    const socket = host.file('dataplane.sock');
    const script = join(repository, 'test/support/lab/dataplane-process.ts');
    const child = host.spawn(['node', '--import', 'tsx', script, socket, ...interfaces], {
      name: 'dataplane',
    });
    await child.waitForOutput(/^ready$/m, 20);
    return new BareDataplane(socket, child);
  }

  /** Resolves when the table is in force. */
  async publish(...services: readonly Service[]): Promise<void> {
    const table = { services, closedAddresses: [], clients: everyClient, policy: defaultPolicy };
    await this.ask({ kind: 'publish', table });
  }

  async connections(): Promise<readonly ConnectionRecord[]> {
    return (await this.ask({ kind: 'connections' })) as readonly ConnectionRecord[];
  }

  async services(): Promise<readonly CountedService[]> {
    return (await this.ask({ kind: 'services' })) as readonly CountedService[];
  }

  async devices(): Promise<readonly DeviceStatus[]> {
    return (await this.ask({ kind: 'devices' })) as readonly DeviceStatus[];
  }

  /** Makes a virtual MAC's device, as a virtual router with `use_vmac` does. */
  async addVirtualMac(name: string, parent: string, mac: string): Promise<void> {
    await this.ask({ kind: 'add-virtual-mac', name, parent, mac });
  }

  private async ask(question: Question): Promise<unknown> {
    const peer = connect(this.socket);
    try {
      const lines = createInterface(peer);
      peer.write(`${JSON.stringify(question)}\n`);
      const [line] = (await once(lines, 'line')) as [string];
      const answer = JSON.parse(line) as unknown;
      const error = (answer as { error?: string }).error;
      if (error !== undefined) throw new Error(`${question.kind}: ${error}`);
      return answer;
    } finally {
      peer.destroy();
    }
  }
}

/** A row of the table from what a test says of a service. */
export function serviceRow(spec: ServiceSpec, isStandby = false): Service {
  return {
    id: addressService(spec.protocol === 'UDP' ? 'udp' : 'tcp', spec.address as IpAddress, spec.port),
    scheduler: 'rr',
    flags: [],
    onePacket: false,
    persistence: undefined,
    isDraining: false,
    isStandby,
    destinations: spec.servers.map(({ address, port, weight = 1 }) => ({
      address: address as IpAddress,
      port,
      method: spec.method === 'NAT' ? 'nat' : 'dr',
      weight,
      upperThreshold: 0,
      lowerThreshold: 0,
    })),
  };
}
