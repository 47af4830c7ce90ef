// FRR's vrrpd (VRRP v3) as a peer, with the zebra that it needs, in a host's namespace and with every file in the lab's
// folder. FRR wants the virtual addresses on macvlan devices with the virtual router's MAC, made beforehand; it takes
// such a device down (protodown) while it is backup, and up while it is master.

import { mkdirSync } from 'node:fs';
import type { Host } from './lab.js';
import { type Exit, runOk, type TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

export type FrrOptions = {
  readonly device?: string;
  readonly virtualRouterId: number;
  /** Default 100. */
  readonly priority?: number;
  /** Milliseconds, a multiple of 10; default 1000. */
  readonly interval_ms?: number;
  readonly hasPreempt?: boolean;
  /** Without prefix length; IPv4 and IPv6 are two virtual routers of the same number. */
  readonly addresses: readonly string[];
};

export type FrrRouter = {
  readonly status: 'Initialize' | 'Backup' | 'Master';
  readonly effectivePriority: number;
  readonly masterAdverInterval: number;
  readonly stats: Readonly<Record<string, number>>;
};

let count = 0;
const folder = '/usr/lib/frr';

export class FrrVrrp {
  private constructor(
    readonly host: Host,
    readonly process: TrackedProcess,
    private readonly zebra: TrackedProcess,
    readonly options: FrrOptions,
    private readonly dir: string,
  ) {}

  /** Resolves when vrrpd answers. */
  static async start(host: Host, options: FrrOptions): Promise<FrrVrrp> {
    count += 1;
    const dir = host.file(`frr-${count}`);
    mkdirSync(dir, { recursive: true });
    const device = options.device ?? 'eth0';
    await makeDevices(host, device, options);
    const name = `frr-${count}`;
    const config = host.writeFile(`${name}-vrrpd.conf`, configOf(device, options));
    await runOk(['chown', 'frr:frr', dir, config]);
    const daemon = (program: string, conf: string) =>
      host.spawn(
        [
          ...[`${folder}/${program}`, '-u', 'frr', '-g', 'frr', '-f', conf, '-P', '0', '--log', 'stdout'],
          ...['-i', `${dir}/${program}.pid`, '-z', `${dir}/zserv.api`, '--vty_socket', dir],
        ],
        { name: program },
      );
    const zebra = daemon('zebra', host.writeFile(`${name}-zebra.conf`, ''));
    await zebra.waitForOutput(/zebra \S+ starting/);
    const vrrpd = daemon('vrrpd', config);
    const frr = new FrrVrrp(host, vrrpd, zebra, options, dir);
    await waitFor(`vrrpd on ${host.name}`, async () => (await frr.routers()).size > 0, {
      detail: () => `${zebra.output()}\n${vrrpd.output().slice(-3000)}`,
    });
    return frr;
  }

  log(): string {
    return this.process.output();
  }

  /** vtysh, with vrrpd alone. */
  async vtysh(...commands: readonly string[]): Promise<string> {
    const args = commands.flatMap((command) => ['-c', command]);
    return await this.host.exec(['vtysh', '--vty_socket', this.dir, '-d', 'vrrpd', ...args]);
  }

  /** By family. A family without an address has none. */
  async routers(): Promise<ReadonlyMap<'v4' | 'v6', FrrRouter>> {
    const shown = JSON.parse(await this.vtysh('show vrrp json')) as Record<
      'v4' | 'v6',
      FrrRouter | undefined
    >[];
    const routers = new Map<'v4' | 'v6', FrrRouter>();
    for (const family of ['v4', 'v6'] as const) {
      const router = shown[0]?.[family];
      if (router !== undefined) routers.set(family, router);
    }
    return routers;
  }

  async state(family: 'v4' | 'v6'): Promise<FrrRouter['status'] | undefined> {
    return (await this.routers()).get(family)?.status;
  }

  async waitForState(family: 'v4' | 'v6', status: FrrRouter['status'], timeout_s = 15): Promise<void> {
    await waitFor(
      `FRR's ${family} router on ${this.host.name} to be ${status}`,
      async () => (await this.state(family)) === status,
      { timeout_s, interval_ms: 100, detail: () => this.log().slice(-3000) },
    );
  }

  /** `priority 120`, `advertisement-interval 500` …: lines of the virtual router, without their beginning. */
  async configure(...lines: readonly string[]): Promise<void> {
    const { device = 'eth0', virtualRouterId } = this.options;
    await this.vtysh(
      'configure terminal',
      `interface ${device}`,
      ...lines.map((line) =>
        line.startsWith('no ')
          ? `no vrrp ${virtualRouterId} ${line.slice(3)}`
          : `vrrp ${virtualRouterId} ${line}`,
      ),
    );
  }

  /** TERM: priority 0. Its devices go with it, so that it can be started again. */
  stop(): Promise<Exit> {
    return this.#end('SIGTERM');
  }

  /** SIGKILL; the addresses go, too, as they do with a machine that has no power. */
  kill(): Promise<Exit> {
    return this.#end('SIGKILL');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<Exit> {
    const exit = await this.process.stop(signal);
    await this.zebra.stop(signal);
    for (const device of deviceNames(this.options)) await this.host.ip(`link del ${device}`);
    return exit;
  }
}

function configOf(device: string, options: FrrOptions): string {
  const line = (text: string) => ` vrrp ${options.virtualRouterId} ${text}\n`;
  return [
    `interface ${device}\n`,
    line('version 3'),
    line(`priority ${options.priority ?? 100}`),
    line(`advertisement-interval ${options.interval_ms ?? 1000}`),
    ...(options.hasPreempt === false ? [` no vrrp ${options.virtualRouterId} preempt\n`] : []),
    ...options.addresses.map((address) => line(`${address.includes(':') ? 'ipv6' : 'ip'} ${address}`)),
  ].join('');
}

function deviceNames(options: FrrOptions): readonly string[] {
  const has = (family: '4' | '6') =>
    options.addresses.some((address) => address.includes(':') === (family === '6'));
  return (['4', '6'] as const).filter(has).map((family) => `vrrp${family}-${options.virtualRouterId}`);
}

async function makeDevices(host: Host, device: string, options: FrrOptions): Promise<void> {
  // While its device is down the address is still the machine's: only the device that has it may answer for it.
  await host.exec([
    'sysctl',
    '-q',
    '-w',
    'net.ipv4.conf.all.arp_ignore=1',
    'net.ipv4.conf.all.arp_announce=2',
  ]);
  const id = options.virtualRouterId.toString(16).padStart(2, '0');
  for (const name of deviceNames(options)) {
    const isV6 = name.startsWith('vrrp6');
    const mac = `00:00:5e:00:0${isV6 ? 2 : 1}:${id}`;
    await host.ip(`link add ${name} link ${device} address ${mac} type macvlan mode bridge`);
    for (const address of options.addresses.filter((one) => one.includes(':') === isV6)) {
      await host.ip(`addr add ${address}${isV6 ? '/128 nodad' : '/32'} dev ${name}`);
    }
    // As vrrpd leaves it while backup, and before it is up: what it sends by itself has the virtual router's MAC, and the
    // switch would take this host for the master.
    await host.ip(`link set ${name} protodown on`);
    await host.ip(`link set ${name} up`);
  }
}
