// keepalived as a peer: Debian's own, in a host's namespace, with every file of it in the lab's folder (several share one
// file system). Only its VRRP part runs: this kernel need not have IPVS.
// States come from its notify FIFO, counters from its JSON dump.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { Host } from './lab.js';
import { type Exit, runOk, type TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

/** A line of a notify FIFO, and what `notify` scripts get as arguments: `INSTANCE "VI_1" MASTER 100`. */
export type Notice = {
  readonly type: 'INSTANCE' | 'GROUP';
  readonly name: string;
  readonly state: string;
  readonly priority: number;
};

/** Of one vrrp_instance in the JSON dump: `data` what it is, `stats` what it has counted. */
export type Dump = {
  readonly data: Readonly<Record<string, unknown>>;
  readonly stats: Readonly<Record<string, number>>;
};

let count = 0;

export class Keepalived {
  private constructor(
    readonly host: Host,
    readonly process: TrackedProcess,
    readonly configFile: string,
    /** The lab's own lines of the FIFO. */
    private readonly notices: TrackedProcess,
    private readonly temp: string,
    private readonly childPidFile: string,
  ) {}

  /** Resolves when it has read its configuration. `config` may not have a vrrp_notify_fifo: that one is ours. */
  static async start(host: Host, config: string): Promise<Keepalived> {
    count += 1;
    const file = (name: string) => host.file(`keepalived-${count}${name}`);
    const fifo = file('.fifo');
    const temp = file('.tmp');
    mkdirSync(temp, { recursive: true });
    const configFile = host.writeFile(
      `keepalived-${count}.conf`,
      `global_defs {\n    vrrp_notify_fifo ${fifo}\n}\n${config}`,
    );
    await runOk(['mkfifo', fifo]);
    // Open for writing, too: it does not end when keepalived does.
    const notices = host.spawn(['sh', '-c', 'exec cat <>"$1"', 'notices', fifo], { name: 'notices' });
    const child = host.spawn(
      [
        ...['keepalived', '--vrrp', '--dont-fork', '--log-console', '--log-detail', '--use-file', configFile],
        ...['--pid', file('.pid'), '--vrrp_pid', file('.vrrp.pid')],
      ],
      { name: 'keepalived', env: { TMPDIR: temp } },
    );
    await child.waitForOutput(/Startup complete/);
    return new Keepalived(host, child, configFile, notices, temp, file('.vrrp.pid'));
  }

  log(): string {
    return this.process.output();
  }

  /** What it has told the FIFO so far. */
  told(): readonly Notice[] {
    return parseNotices(this.notices.output());
  }

  /** State of a vrrp_instance, `STOP` after its end; undefined before its first. */
  state(instance: string): string | undefined {
    const isState = ({ type, name, state }: Notice) =>
      type === 'INSTANCE' && name === instance && !/_(PRIORITY|PRI)$/.test(state);
    return this.told().findLast(isState)?.state;
  }

  async waitForState(instance: string, state: string, timeout_s = 15): Promise<void> {
    await waitFor(
      `keepalived's ${instance} on ${this.host.name} to be ${state}`,
      () => this.state(instance) === state,
      {
        timeout_s,
        detail: () => this.log().slice(-3000),
      },
    );
  }

  /** Asks for the JSON dump. */
  async dump(instance: string): Promise<Dump> {
    const file = `${this.temp}/keepalived.json`;
    rmSync(file, { force: true });
    process.kill(this.process.pid, Number(await runOk(['keepalived', '--signum=JSON'])));
    const all = await waitFor(`${file}`, () => {
      if (!existsSync(file)) return undefined;
      // Half of a file is no JSON: waitFor looks again.
      return JSON.parse(readFileSync(file, 'utf8')) as readonly Dump[];
    });
    const found = all.find((dump) => dump.data.iname === instance);
    if (found === undefined) throw new Error(`no ${instance} in ${file}`);
    return found;
  }

  /** What USR1 or USR2 makes it write. */
  async dumpText(kind: 'data' | 'stats'): Promise<string> {
    const file = `${this.temp}/keepalived.${kind}`;
    rmSync(file, { force: true });
    this.process.signal(kind === 'data' ? 'SIGUSR1' : 'SIGUSR2');
    let before = '';
    return await waitFor(file, () => {
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      // It grows while it is written.
      const isWhole = text !== '' && text === before;
      before = text;
      return isWhole ? text : undefined;
    });
  }

  async stats(instance: string): Promise<Readonly<Record<string, number>>> {
    return (await this.dump(instance)).stats;
  }

  /** Writes a new configuration (with the FIFO that it had) and sends HUP. */
  reload(config: string): void {
    const head = readFileSync(this.configFile, 'utf8').split('\n').slice(0, 3).join('\n');
    this.host.writeFile(this.configFile.slice(this.host.file('').length), `${head}\n${config}`);
    this.process.signal('SIGHUP');
  }

  /** TERM: priority 0, addresses removed. */
  stop(): Promise<Exit> {
    return this.process.stop('SIGTERM', 10);
  }

  /** SIGKILL for both of its processes at one moment: the parent would start another child, the child would say goodbye. */
  async kill(): Promise<Exit> {
    const child = Number(readFileSync(this.childPidFile, 'utf8'));
    this.process.signal('SIGSTOP');
    process.kill(child, 'SIGKILL');
    return await this.process.stop('SIGKILL');
  }
}

export function parseNotices(text: string): readonly Notice[] {
  return [...text.matchAll(/^(INSTANCE|GROUP) "(.*)" (\S+) (\d+)$/gm)].map(
    ([, type, name = '', state = '', priority]) => ({
      type: type as Notice['type'],
      name,
      state,
      priority: Number(priority),
    }),
  );
}
