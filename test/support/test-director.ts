// A director with everything around it in memory: the data plane, the clock and the probes are the test's. One service
// of checked servers 10.1.0.HOST, and its row of the table written short.

import { MemoryDataplane } from '../../src/dataplane/memory.js';
import type { IpAddress } from '../../src/model/address.js';
import { type ServiceId, serviceKey } from '../../src/model/service-id.js';
import { micros } from '../../src/model/units.js';
import { createDirector } from '../../src/runtime/create-director.js';
import type { Director } from '../../src/runtime/director.js';
import type { DirectorEvent } from '../../src/runtime/events.js';
import { FakeProbes } from './fake-probes.js';
import { ManualClock } from './manual-clock.js';

export const vip = '10.0.0.1' as IpAddress;
export const web = { kind: 'endpoint', protocol: 'tcp', address: vip, port: 80 } as const satisfies ServiceId;
export const endpoint = (host: number) => ({ address: `10.1.0.${host}` as IpAddress, port: 80 });

/** A configuration of one service with checked servers 10.1.0.HOST. */
export function config(
  hosts: readonly number[],
  more: { service?: string; server?: string; outside?: string } = {},
): string {
  const servers = hosts.map(
    (host) => `
      real_server 10.1.0.${host} 80 {
        ${more.server ?? ''}
        TCP_CHECK {
          connect_timeout 3
          retry 1
          delay_before_retry 1
          warmup 0
        }
      }`,
  );
  return `
    ${more.outside ?? ''}
    virtual_server ${vip} 80 {
      lvs_sched rr
      lvs_method NAT
      protocol TCP
      delay_loop 10
      ${more.service ?? ''}
      ${servers.join('')}
    }`;
}

export class TestDirector {
  readonly dataplane = new MemoryDataplane();
  readonly clock = new ManualClock();
  readonly probes = new FakeProbes();
  readonly events: DirectorEvent[] = [];
  readonly logged: string[] = [];
  readonly director: Director;

  constructor(text: string) {
    this.dataplane.putAddress({ address: vip, prefixLength: 24, device: 'eth0' });
    const note = (message: string) => this.logged.push(message);
    this.director = createDirector(
      { configText: text },
      {
        dataplane: this.dataplane,
        clock: this.clock,
        probes: this.probes.probes,
        random: () => 0.5,
        log: { debug: () => {}, info: note, warn: note, error: note },
      },
    );
    void this.collect(this.director.events());
  }

  async start(): Promise<this> {
    await this.director.start();
    // The first probes, which have no warm-up here.
    await this.clock.advance(micros(0));
    return this;
  }

  private async collect(events: AsyncIterable<DirectorEvent>): Promise<void> {
    for await (const event of events) this.events.push(event);
  }

  /** `3 2:0 1(removed)`: hosts in the scheduler's order, with weights other than 1. */
  table(service: ServiceId = web): string {
    const row = this.dataplane.current.services.find(
      (candidate) => serviceKey(candidate.id) === serviceKey(service),
    );
    if (row === undefined) return 'none';
    const rows = row.destinations.map(({ address, weight, isRemoved }) => {
      const host = address.split('.')[3];
      return `${host}${weight === 1 ? '' : `:${weight}`}${isRemoved ? '(removed)' : ''}`;
    });
    return `${row.isDraining ? 'draining ' : ''}${rows.join(' ')}`;
  }

  get publishCount(): number {
    return this.dataplane.published.length;
  }

  kinds(): string[] {
    return this.events.map((event) => event.kind);
  }

  async reload(text: string): Promise<readonly string[]> {
    const { changes } = await this.director.reload({ configText: text });
    return changes;
  }
}

const running: TestDirector[] = [];

/** A director that runs; `prepare` has it before it starts. */
export async function start(
  text: string,
  prepare: (director: TestDirector) => void = () => {},
): Promise<TestDirector> {
  const fixture = new TestDirector(text);
  running.push(fixture);
  prepare(fixture);
  return fixture.start();
}

/** For `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const fixture of running.splice(0)) await fixture.director.stop();
}
