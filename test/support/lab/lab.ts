// A lab: hosts in network namespaces, the programs that run in them, and their removal in order.
// `await using lab = await Lab.create(topology)` is the whole life cycle; a guardian process covers our own death.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Guardian, namespacesOf, newRunPrefix, reapDeadRuns, runDir, sweep } from './namespaces.js';
import {
  type Command,
  type RunOptions,
  type RunResult,
  run,
  runOk,
  TrackedProcess,
  words,
} from './process.js';
import {
  type HostSpec,
  hostCommands,
  linkCommands,
  switchCommands,
  sysctlArguments,
  type Topology,
  vethCommand,
} from './topology.js';
import { waitFor } from './wait.js';

export type LabOptions = {
  /** Fixed name instead of one of this run: `uvs-<name>-client`. Such a lab is never reaped. */
  readonly name?: string;
  /** Programs live on after us, until someone sweeps the name. */
  readonly outlivesUs?: boolean;
};

/** Something that must end before the namespaces go, newest first. */
type Closer = () => Promise<void>;

export class Lab implements AsyncDisposable {
  /** For files of this lab; removed with it. */
  readonly dir: string;
  readonly #hosts = new Map<string, Host>();
  readonly #closers: Closer[] = [];
  readonly #guardian: Guardian;
  #isDisposed = false;

  private constructor(
    readonly prefix: string,
    readonly topology: Topology,
    readonly outlivesUs: boolean,
  ) {
    this.dir = runDir(prefix);
    this.#guardian = new Guardian(prefix);
  }

  /** Builds the network; when that fails nothing is left of it. */
  static async create(topology: Topology, options: LabOptions = {}): Promise<Lab> {
    await reapDeadRuns();
    const prefix = options.name === undefined ? newRunPrefix() : `uvs-${options.name}-`;
    if (namespacesOf(prefix).length > 0) throw new Error(`a lab named ${prefix} is there already`);
    const lab = new Lab(prefix, topology, options.outlivesUs ?? false);
    try {
      rmSync(lab.dir, { recursive: true, force: true });
      mkdirSync(lab.dir, { recursive: true });
      await lab.#build();
      return lab;
    } catch (error) {
      await lab.dispose();
      throw error;
    }
  }

  async #build(): Promise<void> {
    const { topology } = this;
    const names = [...Object.keys(topology.hosts), ...Object.keys(topology.segments ?? {})];
    for (const name of names) this.#hosts.set(name, new Host(this, name, `${this.prefix}${name}`));
    const ns = (name: string) => this.host(name).ns;
    await batch(
      [],
      names.map((name) => `netns add ${ns(name)}`),
    );
    await Promise.all(
      names.map((name) => {
        const settings = sysctlArguments(topology.hosts[name] ?? {});
        return this.host(name).exec(['sysctl', '-q', '-w', ...settings]);
      }),
    );
    await batch([], linkCommands(topology, ns));
    await Promise.all([
      ...Object.entries(topology.segments ?? {}).map(([name, ports]) =>
        batch(['-n', ns(name)], switchCommands(ports)),
      ),
      ...Object.entries(topology.hosts).map(([name, spec]) => this.#configure(name, spec)),
    ]);
    for (const name of names) {
      await waitFor(`the devices of ${name} to pass packets`, () => this.#isPassing(name), {
        interval_ms: 5,
      });
    }
  }

  /** A device that is up sends only after a work queue of the kernel has seen to it, late where links come and go. */
  async #isPassing(name: string): Promise<boolean> {
    type Link = {
      operstate: string;
      linkinfo?: { info_kind?: string; info_slave_data?: { state?: string } };
    };
    const links = JSON.parse(await this.host(name).ip('-d -j link show up')) as Link[];
    return links
      .filter(({ linkinfo }) => linkinfo?.info_kind === 'veth')
      .every(({ operstate, linkinfo }) => {
        return operstate === 'UP' && (linkinfo?.info_slave_data?.state ?? 'forwarding') === 'forwarding';
      });
  }

  async #configure(name: string, spec: HostSpec): Promise<void> {
    await batch(['-n', this.host(name).ns], hostCommands(spec));
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name} in this lab`);
    return host;
  }

  /** A further cable between two hosts; both ends are down and without addresses. */
  async cable(left: Host, leftDevice: string, right: Host, rightDevice: string): Promise<void> {
    await batch([], [vethCommand(left.ns, leftDevice, right.ns, rightDevice)]);
  }

  /** Called at the end before the namespaces go, newest first. */
  onDispose(close: Closer): void {
    this.#closers.push(close);
  }

  /** Leaves everything running as it is; `sweep(prefix)` removes it. Only with `outlivesUs`. */
  keep(): void {
    if (!this.outlivesUs) throw new Error('this lab dies with its owner');
    this.#isDisposed = true;
    this.#guardian.dismiss();
  }

  async dispose(): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    try {
      for (const close of this.#closers.reverse()) await close();
    } finally {
      await sweep(this.prefix);
      this.#guardian.dismiss();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** One machine of the lab. */
export class Host {
  #logCount = 0;

  constructor(
    readonly lab: Lab,
    readonly name: string,
    readonly ns: string,
  ) {}

  /** A path in the lab's folder that carries this host's name. */
  file(name: string): string {
    return join(this.lab.dir, `${this.name}.${name}`);
  }

  writeFile(name: string, content: string | Uint8Array): string {
    const path = this.file(name);
    writeFileSync(path, content);
    return path;
  }

  /** Runs a program here to its end and gives its standard output; any other exit code than 0 is an exception. */
  exec(command: Command, options?: RunOptions): Promise<string> {
    return runOk(['ip', 'netns', 'exec', this.ns, ...words(command)], options);
  }

  /** Like `exec`, with the exit code as a value. */
  tryExec(command: Command, options?: RunOptions): Promise<RunResult> {
    return run(['ip', 'netns', 'exec', this.ns, ...words(command)], options);
  }

  /** `ip` in this namespace. */
  ip(command: Command): Promise<string> {
    return runOk(['ip', '-n', this.ns, ...words(command)]);
  }

  /** Starts a program here that runs until it is stopped, at the latest when the lab is removed. */
  spawn(
    command: Command,
    options: { readonly name: string; readonly env?: Readonly<Record<string, string>> },
  ): TrackedProcess {
    this.#logCount += 1;
    const child = new TrackedProcess(['ip', 'netns', 'exec', this.ns, ...words(command)], {
      logFile: this.file(`${options.name}-${this.#logCount}.log`),
      outlivesUs: this.lab.outlivesUs,
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    this.lab.onDispose(async () => {
      await child.stop('SIGTERM', 3);
    });
    return child;
  }

  async mac(device: string): Promise<string> {
    const [link] = JSON.parse(await this.ip(`-j link show dev ${device}`)) as { address: string }[];
    if (link === undefined) throw new Error(`no device ${device} on ${this.name}`);
    return link.address;
  }

  /** Names of the devices here. */
  async devices(): Promise<readonly string[]> {
    return (JSON.parse(await this.ip('-j link show')) as { ifname: string }[]).map((link) => link.ifname);
  }

  /** Addresses on a device, with prefix length. */
  async addresses(device: string): Promise<readonly string[]> {
    type Link = { addr_info: { local: string; prefixlen: number }[] };
    const links = JSON.parse(await this.ip(`-j addr show dev ${device}`)) as Link[];
    return links.flatMap((link) => link.addr_info.map((info) => `${info.local}/${info.prefixlen}`));
  }
}

async function batch(options: readonly string[], lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await runOk(['ip', ...options, '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
}
