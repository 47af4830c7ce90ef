// A director under test: `dist/cli/main.js run` in a host's namespace, always with a socket of its own,
// and its command line and HTTP API to ask it.

import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Host } from './lab.js';
import type { Exit, RunResult, TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
/** What npm links as `director`. */
export const commandFile = join(repository, 'scripts/director');
/** The built command. */
export const cliFile = join(repository, 'dist/cli/main.js');
let directorCount = 0;

export type DirectorOptions = {
  /** Further arguments of `director run`. */
  readonly arguments?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Socket and configuration of another director of the lab, to start it again in its place. */
  readonly socket?: string;
  /** Words before the command: `setpriv …`. */
  readonly startedBy?: readonly string[];
  /** By what npm links, as users do. */
  readonly isByCommand?: boolean;
  /** How long it may take to be ready; default 15. */
  readonly ready_s?: number;
};

export type ListedServer = {
  readonly address: string;
  readonly forward: string;
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
};
export type ListedService = {
  readonly protocol: string;
  readonly address: string;
  readonly scheduler: string;
  readonly servers: readonly ListedServer[];
};

/** A virtual router as `GET /v1/status` shows it: what the lab reads of it. */
export type RouterStatus = {
  readonly name: string;
  readonly state: 'initialize' | 'backup' | 'master' | 'releasing' | 'fault';
  readonly why: string;
  readonly basePriority: number;
  readonly priority: number;
  readonly master: { readonly address: string; readonly priority: number } | undefined;
  readonly hasAddresses: boolean;
  readonly faults: readonly string[];
  readonly counters: {
    readonly received: number;
    readonly sent: number;
    readonly becameMaster: number;
    readonly releasedMaster: number;
    readonly priorityZeroReceived: number;
    readonly priorityZeroSent: number;
    readonly announced: number;
    readonly rejected: Readonly<Record<string, number>>;
    readonly reports: Readonly<Record<string, number>>;
  };
  readonly budget: readonly { readonly what: string; readonly shortest: number; readonly longest: number }[];
  readonly takeovers: readonly {
    readonly cause: string;
    readonly took: number;
    readonly budget: number;
    readonly isWithin: boolean;
  }[];
};
export type Transition = {
  readonly at: number;
  readonly router: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly why: string;
};
export type FailoverStatus = {
  readonly virtualRouters: readonly RouterStatus[];
  readonly syncGroups: readonly { readonly name: string; readonly state: string | undefined }[];
  /** The newest last. */
  readonly timeline: readonly Transition[];
  readonly strays: { readonly short: number; readonly unknownRouter: number };
};

type Endpoint = { readonly address: string; readonly port: number };
type Table = { readonly id: Endpoint; readonly destinations: readonly Endpoint[] };

/** As `list -n` writes it. */
function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export class Director {
  private constructor(
    readonly host: Host,
    readonly configFile: string,
    readonly socket: string,
    readonly process: TrackedProcess,
  ) {}

  /** Resolves when the director has said that it is ready; when it ends before, the error shows its output. */
  static async start(host: Host, config: string, options: DirectorOptions = {}): Promise<Director> {
    const director = Director.launch(host, config, options);
    await director.waitReady(options.ready_s);
    return director;
  }

  /** Starts the process only: for starts that should fail. */
  static launch(host: Host, config: string, options: DirectorOptions = {}): Director {
    directorCount += 1;
    const configFile = host.writeFile(`director-${directorCount}.conf`, config);
    const socket = options.socket ?? host.file(`director-${directorCount}.sock`);
    const child = host.spawn(
      [
        ...(options.startedBy ?? []),
        ...(options.isByCommand ? [commandFile] : ['node', cliFile]),
        ...['run', '-f', configFile, '--socket', socket],
        ...(options.arguments ?? []),
      ],
      { name: 'director', ...(options.env === undefined ? {} : { env: options.env }) },
    );
    return new Director(host, configFile, socket, child);
  }

  async waitReady(limit_s = 15): Promise<void> {
    await this.process.waitForOutput(/\bready\b/, limit_s);
  }

  log(): string {
    return this.process.output();
  }

  /** A `director` command for this director, run in its namespace. */
  cli(command: string): Promise<RunResult> {
    const [verb = '', ...rest] = command.split(' ');
    return this.host.tryExec(['node', cliFile, verb, '--socket', this.socket, ...rest]);
  }

  /** Writes a new configuration and asks for it; gives what `director reload` said. */
  async reload(config: string): Promise<RunResult> {
    this.host.writeFile(this.configFile.slice(this.host.file('').length), config);
    return await this.cli('reload');
  }

  /** The table as `director list -n` shows it. */
  async list(): Promise<readonly ListedService[]> {
    const result = await this.cli('list -n');
    if (result.code !== 0) throw new Error(`director list: ${result.code} ${result.stderr}`);
    return parseList(result.stdout);
  }

  /** Waits until exactly these servers (as `list -n` writes them) are in the table of the service on `vip`. */
  async waitForServers(vip: string, servers: readonly string[], timeout_s = 10): Promise<void> {
    const wanted = [...servers].sort().join(' ');
    // By the socket: on a busy machine the start of a command takes longer than what is waited for.
    const present = async () => {
      const { services } = (await this.api('GET', '/v1/services')).body as { services: readonly Table[] };
      const service = services.find(({ id }) => endpointText(id) === vip);
      return (service?.destinations ?? []).map(endpointText).sort().join(' ');
    };
    await waitFor(`${vip} to have [${wanted}]`, async () => (await present()) === wanted, {
      timeout_s,
      detail: async () => `present: [${await present()}]`,
    });
  }

  /** Everything that `status` says of failover. */
  async failover(): Promise<FailoverStatus> {
    const { status, body } = await this.api('GET', '/v1/status');
    if (status !== 200) throw new Error(`GET /v1/status: ${status} ${JSON.stringify(body)}`);
    return body as FailoverStatus;
  }

  async router(name = 'VI_1'): Promise<RouterStatus> {
    const { virtualRouters } = await this.failover();
    const found = virtualRouters.find((router) => router.name === name);
    if (found === undefined) throw new Error(`no virtual router ${name} among ${virtualRouters.length}`);
    return found;
  }

  /** By keepalived's words, so that a test can ask either peer. */
  async waitForState(router: string, state: 'MASTER' | 'BACKUP' | 'FAULT', timeout_s = 15): Promise<void> {
    await waitFor(
      `${router} on ${this.host.name} to be ${state}`,
      async () => (await this.router(router)).state === state.toLowerCase(),
      {
        timeout_s,
        // Each look costs the director a turn of the event loop that is being watched.
        interval_ms: 50,
        detail: async () =>
          `${JSON.stringify(await this.failover().catch(String), undefined, 1)}\n${this.log().slice(-3000)}`,
      },
    );
  }

  /** HTTP on the socket; gives status and parsed body. */
  api(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { socketPath: this.socket, method, path, headers: { 'content-type': 'application/json' } },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () => {
            const text = Buffer.concat(parts).toString();
            try {
              resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) });
            } catch {
              reject(new Error(`${method} ${path}: not JSON: ${text.slice(0, 200)}`));
            }
          });
        },
      );
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** TERM, and the way in which it ended. */
  stop(): Promise<Exit> {
    return this.process.stop('SIGTERM', 10);
  }

  kill(): Promise<Exit> {
    return this.process.stop('SIGKILL');
  }
}

/** `ipvsadm -Ln` text as data. */
export function parseList(text: string): readonly ListedService[] {
  const services: (Omit<ListedService, 'servers'> & { servers: ListedServer[] })[] = [];
  for (const line of text.split('\n').slice(3)) {
    const [first = '', address = '', third = '', weight = '', active = '', inactive = ''] = line
      .trim()
      .split(/\s+/);
    if (first === '->') {
      services.at(-1)?.servers.push({
        address,
        forward: third,
        weight: Number(weight),
        active: Number(active),
        inactive: Number(inactive),
      });
    } else if (first !== '') {
      services.push({ protocol: first, address, scheduler: third, servers: [] });
    }
  }
  return services;
}
