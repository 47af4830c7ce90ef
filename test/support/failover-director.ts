// Directors with virtual routers, everything around them in memory: several on one wire and one clock that the test
// turns. A journal has what each did, in order, in words: adverts by priority, tables, addresses, wills, notifications.

import { sumOf } from '../../src/config/index.js';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import { MemoryNetwork } from '../../src/dataplane/memory-network.js';
import { MemoryWire } from '../../src/dataplane/memory-wire.js';
import type { AdvertMessage, LastWill, Repetition } from '../../src/dataplane/network.js';
import type { HostAddress } from '../../src/dataplane/port.js';
import type { IpAddress } from '../../src/model/address.js';
import type { DirectorConfig } from '../../src/model/director-config.js';
import {
  type FailoverConfig,
  noFailover,
  noNotifyScripts,
  type Pacing,
} from '../../src/model/failover-config.js';
import type { ForwardingTable } from '../../src/model/forwarding-table.js';
import { virtualAddressOf } from '../../src/model/service-id.js';
import { type Micros, micros, seconds } from '../../src/model/units.js';
import type { SyncGroup, Track, VirtualRouter } from '../../src/model/virtual-router.js';
import { controlServers } from '../../src/runtime/admin-server.js';
import { Catcher } from '../../src/runtime/catcher.js';
import { Director } from '../../src/runtime/director.js';
import type { DirectorEvent } from '../../src/runtime/events.js';
import type { VirtualRouterView } from '../../src/runtime/failover/views.js';
import type { Tracking } from '../../src/runtime/tracking/trackers.js';
import { router } from '../unit/vrrp/fixtures.js';
import { FakeProbes } from './fake-probes.js';
import { ManualClock } from './manual-clock.js';
import { configOf } from './parse-config.js';
import { Sabotage } from './sabotage.js';

const origin = { file: 'test.conf', line: 1, column: 1 };

/** A service at each address, with one server that is always up. */
export function servicesAt(...addresses: readonly string[]): DirectorConfig {
  const text = addresses.map(
    (address) => `virtual_server ${address} 80 {
      lvs_sched rr
      lvs_method NAT
      protocol TCP
      real_server ${address.includes(':') ? 'fd01::1' : '10.1.0.1'} 80 {
      }
    }`,
  );
  return configOf(text.join('\n'));
}

export type Setup = {
  readonly routers: readonly VirtualRouter[];
  readonly groups?: readonly (readonly string[])[];
  readonly groupTracks?: readonly Track[];
  readonly pacing?: Pacing;
  /** Addresses of services; default: those of the routers. */
  readonly services?: readonly string[];
};

export function failoverOf({ routers, groups = [], groupTracks = [], pacing }: Setup): FailoverConfig {
  return {
    ...noFailover,
    pacing: pacing ?? noFailover.pacing,
    routers: routers.map((one) => ({ router: one, notify: noNotifyScripts, origin })),
    groups: groups.map((members, i) => {
      const group: SyncGroup = { name: `G${i + 1}`, members, tracks: groupTracks, hasMemberWeights: false };
      return { group, notify: noNotifyScripts, origin };
    }),
  };
}

export function configFor(setup: Setup): DirectorConfig {
  const own = setup.routers.flatMap(({ addresses }) => addresses.map(({ address }) => address));
  return { ...servicesAt(...new Set(setup.services ?? own)), failover: failoverOf(setup) };
}

/** Notes what the director does to its network, as it does it. */
class JournalNetwork extends MemoryNetwork {
  note: (what: string) => void = () => {};

  override advertise(
    key: string,
    messages: readonly AdvertMessage[],
    repetition: Repetition | undefined,
  ): string | undefined {
    const priority = messages[0]?.bytes[2];
    const said = priority === undefined ? 'hush' : `advert ${priority}`;
    this.note(`${said}${repetition === undefined ? '' : ' repeated'}${key === 'VI_1' ? '' : ` by ${key}`}`);
    return super.advertise(key, messages, repetition);
  }

  override async entrust(key: string, will: LastWill): Promise<void> {
    await super.entrust(key, will);
    this.note(`will of ${will.addresses.map(({ address }) => address).join(' ')}`);
  }

  override revoke(key: string): void {
    super.revoke(key);
    this.note('no will');
  }

  override async addAddress(address: HostAddress): Promise<void> {
    await super.addAddress(address);
    this.note(`add ${address.address}`);
  }

  override async removeAddress(address: HostAddress): Promise<void> {
    const wasThere = this.addresses.some((known) => known.address === address.address);
    await super.removeAddress(address);
    if (wasThere) this.note(`remove ${address.address}`);
  }

  override sendFrame(device: string, frame: Uint8Array): string | undefined {
    const failure = super.sendFrame(device, frame);
    const isProbe = frame[12] === 0x08 && frame.slice(28, 32).every((byte) => byte === 0);
    this.note(isProbe ? 'probe' : 'announce');
    return failure;
  }
}

class JournalDataplane extends MemoryDataplane {
  note: (what: string) => void = () => {};
  private before = '';

  override async publish(table: ForwardingTable): Promise<number> {
    const generation = await super.publish(table);
    const standing = table.services
      .filter(({ isStandby }) => isStandby)
      .flatMap(({ id }) => virtualAddressOf(id) ?? []);
    const said = standing.length === 0 ? 'forward all' : `standby ${standing.join(' ')}`;
    if (said !== this.before) this.note(said);
    this.before = said;
    return generation;
  }
}

/** Scripts and files whose results the test sets. */
export class TestTracking {
  readonly scripts = new Map<string, boolean | undefined>();
  readonly files = new Map<string, number>();
  private onChange: () => void = () => {};

  readonly create = (onChange: () => void): Tracking => {
    this.onChange = onChange;
    return {
      configure: () => {},
      scripts: this.scripts,
      files: this.files,
      scriptDefects: new Map(),
      status: { scripts: [], files: [] },
      stop: () => {},
    };
  };

  setScript(name: string, isUp: boolean): void {
    this.scripts.set(name, isUp);
    this.onChange();
  }

  setFile(name: string, value: number): void {
    this.files.set(name, value);
    this.onChange();
  }
}

/** Several directors' one world. */
export class FailoverLab {
  readonly clock = new ManualClock();
  readonly wire = new MemoryWire(this.clock);
  /** `a: add 10.0.0.100`, over all directors. */
  readonly journal: string[] = [];
  readonly directors: FailoverDirector[] = [];

  /** A director at 10.0.0.HOST (and fe80::HOST) on eth0; not started. */
  create(name: string, host: number, setup: Setup): FailoverDirector {
    const director = new FailoverDirector(this, name, host, configFor(setup));
    this.directors.push(director);
    return director;
  }

  async start(name: string, host: number, setup: Setup): Promise<FailoverDirector> {
    const director = this.create(name, host, setup);
    await director.director.start();
    return director;
  }

  async wait(duration_s: number): Promise<void> {
    await this.clock.advance(seconds(duration_s));
  }

  /** Takes what the journal has and empties it; entries that begin with one of `without` are left out. */
  take(...without: readonly string[]): string[] {
    const entries = this.journal.splice(0);
    return entries.filter(
      (entry) => !without.some((part) => entry.slice(entry.indexOf(':') + 2).startsWith(part)),
    );
  }

  /** Names of the directors that have `address`. */
  holdersOf(address: string): string[] {
    return this.directors.filter((one) => one.addresses().includes(address)).map(({ name }) => name);
  }

  /** Lets time pass in small steps; `check` sees each. */
  async watch(duration_s: number, step_s: number, check: () => void): Promise<void> {
    for (let passed = 0; passed < duration_s; passed += step_s) {
      await this.clock.advance(seconds(step_s));
      check();
    }
  }

  /** For `afterEach`: ends everything without waiting for successors. */
  async close(): Promise<void> {
    const stops = this.directors.map(({ director }) => director.stop());
    let isOver = false;
    void Promise.all(stops).then(() => {
      isOver = true;
    });
    while (!isOver) await this.clock.advance(seconds(1));
  }
}

export class FailoverDirector {
  readonly dataplane = new JournalDataplane();
  readonly network: JournalNetwork;
  readonly tracking = new TestTracking();
  readonly probes = new FakeProbes();
  readonly sabotage = new Sabotage();
  readonly events: DirectorEvent[] = [];
  readonly logged: string[] = [];
  /** `VI_1 MASTER 100`, `G1 MASTER 0`. */
  readonly notified: string[] = [];
  readonly director: Director;
  private config: DirectorConfig;

  constructor(
    readonly lab: FailoverLab,
    readonly name: string,
    host: number,
    config: DirectorConfig,
  ) {
    const { clock, wire } = lab;
    this.config = config;
    const addresses = [
      { address: `10.0.0.${host}` as IpAddress, length: 24 },
      { address: `fe80::${host}` as IpAddress, length: 64 },
    ];
    this.network = new JournalNetwork({ clock, wire, links: [{ name: 'eth0', addresses }] });
    const note = (what: string) => lab.journal.push(`${name}: ${what}`);
    this.network.note = note;
    this.dataplane.note = note;
    const log = (message: string, fields: object = {}) => {
      this.logged.push(`${message} ${Object.values(fields).join(' ')}`.trim());
    };
    const lines = { debug: () => {}, info: log, warn: log, error: log };
    const hear = (who: string, state: string, priority: number) => {
      this.notified.push(`${who} ${state} ${priority}`);
      note(`notify ${who} ${state}`);
    };
    this.director = new Director(
      { configText: '' },
      {
        dataplane: this.sabotage.on('dataplane', this.dataplane),
        network: () => this.sabotage.on('network', this.network),
        catcher: new Catcher(clock, lines),
        probes: this.sabotage.on('probes', this.probes.probes),
        random: () => 0.5,
        log: lines,
        load: async () => ({ config: this.config, sum: sumOf(this.config), diagnostics: [] }),
        socket: undefined,
        controlServers,
        version: '0',
        onDiagnostics: () => {},
        notifier: this.sabotage.on('notifier', {
          configure: () => {},
          routerRenamed: () => {},
          routerChanged: hear,
          groupChanged: (who, state) => hear(who, state, 0),
          hear: () => {},
          lostLineCount: 0,
          stop: async () => {},
        }),
        tracking: (onChange) => this.sabotage.on('tracking', this.tracking.create(onChange)),
        accounts: () => ({ passwd: '', group: '' }),
        inspect: () => ({ runsAs: 'root' }),
        isRouter: () => false,
      },
    );
    void this.collect(this.director.events());
  }

  private async collect(events: AsyncIterable<DirectorEvent>): Promise<void> {
    for await (const event of events) this.events.push(event);
  }

  /** The virtual router, by name. */
  view(name = 'VI_1'): VirtualRouterView {
    const found = this.director.virtualRouters().virtualRouters.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${this.name} has no virtual router ${name}`);
    return found;
  }

  state(name = 'VI_1'): string {
    return this.view(name).state;
  }

  /** Virtual addresses that are on the machine. */
  addresses(): string[] {
    return this.network.addresses.map(({ address }) => address);
  }

  /** Addresses whose services stand by. */
  standby(): string[] {
    return this.dataplane.current.services
      .filter(({ isStandby }) => isStandby)
      .flatMap(({ id }) => virtualAddressOf(id) ?? []);
  }

  /** What the next start or reload reads. */
  configure(config: DirectorConfig): void {
    this.config = config;
  }

  /** Puts another configuration in force. */
  async reload(setup: Setup): Promise<void> {
    this.configure(configFor(setup));
    await this.director.reload();
  }

  /** Stops while the clock runs; resolves when the director has stopped, with the time that took. */
  async stop(): Promise<Micros> {
    const start = this.lab.clock.now();
    let isOver = false;
    void this.director.stop().then(() => {
      isOver = true;
    });
    await this.lab.clock.settle();
    while (!isOver) await this.lab.clock.advance(micros(10_000));
    return micros(this.lab.clock.now() - start);
  }
}

/** VI_1 with one address, 10.0.0.100. Its own device is tracked, as the configuration language has it. */
export function routerWith(overrides: Partial<VirtualRouter> = {}): VirtualRouter {
  const { addresses, ...rest } = router();
  const [first] = addresses;
  const { device = rest.device, tracks = [] } = overrides;
  const own: Track = { kind: 'interface', name: device, weight: 0, isReversed: false };
  return {
    ...rest,
    addresses: first === undefined ? [] : [first],
    ...overrides,
    tracks: [own, ...tracks],
  };
}
