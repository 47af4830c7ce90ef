// One act of the demo: a network is built, the director loads an example, clients are served, a real server stops,
// leaves the table and returns. The same for DR and NAT; every count is checked.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Director,
  type Host,
  type HttpServer,
  Lab,
  repository,
  request,
  startHttp,
  type Topology,
  urlOf,
  vip,
  vip6,
} from '../../test/support/lab/index.js';
import { bars, check, command, drawing, heading, seconds, step } from './screen.js';

export type Act = {
  readonly title: string;
  readonly picture: string;
  readonly topology: Topology;
  /** Below examples/. */
  readonly example: string;
  /** The port on which the real servers listen. */
  readonly serverPort: number;
  /** The real servers as `director list -n` writes those of the IPv4 service. */
  readonly servers: readonly [string, string];
};

export type ActOptions = {
  /** Namespaces get this name, and everything stays when the act is over. */
  readonly keepAs?: string;
};

/** What the demo has to show for itself afterwards. */
export type ActResult = { readonly lab: Lab; readonly requests: number };

/** Of all acts. */
export const labs = new Set<Lab>();

/** Removes every lab that is still there. */
export async function disposeLabs(): Promise<void> {
  await Promise.all([...labs].map((lab) => lab.dispose()));
}

export async function perform(act: Act, options: ActOptions): Promise<ActResult> {
  heading(act.title);
  drawing(act.picture);
  const { lab, servers } = await step('network namespaces, two nginx as real servers', () =>
    build(act, options),
  );
  const [client, host] = [lab.host('client'), lab.host('director')];
  const config = readFileSync(join(repository, 'examples', act.example), 'utf8');
  const director = await step(`director runs with examples/${act.example}`, () =>
    Director.start(host, config, { socket: join(lab.dir, 'director.sock') }),
  );
  try {
    const requests = await play(act, client, director, servers);
    if (options.keepAs === undefined) await stop(host, director);
    return { lab, requests };
  } catch (error) {
    const log = director.log().trimEnd().split('\n').slice(-20).join('\n');
    throw new Error(
      `${error instanceof Error ? error.message : String(error)}\n\nlast lines of the director's log:\n${log}`,
    );
  }
}

async function build(act: Act, options: ActOptions) {
  const keep = options.keepAs === undefined ? {} : { name: options.keepAs, outlivesUs: true };
  const lab = await Lab.create(act.topology, keep);
  labs.add(lab);
  const servers = await Promise.all(
    ['server-a', 'server-b'].map((name) => startHttp(lab.host(name), { ports: [act.serverPort] })),
  );
  return { lab, servers };
}

async function play(
  act: Act,
  client: Host,
  director: Director,
  servers: readonly HttpServer[],
): Promise<number> {
  const [a, b] = act.servers;
  const stopped = servers[1];
  if (stopped === undefined) throw new Error('two servers are needed');
  await showList(director);
  let requests = await ask(client, vip, 200, { 'server-a': 100, 'server-b': 100 });
  requests += await ask(client, vip6, 100, { 'server-a': 50, 'server-b': 50 });

  const stoppedAt = performance.now();
  await step('server-b is stopped: the director finds out and takes it from the table', async () => {
    await stopped.stop();
    await director.waitForServers(`${vip}:80`, [a]);
    await director.waitForServers(`[${vip6}]:80`, [v6Of(a)]);
  });
  const outage = seconds(stoppedAt);
  await showList(director);
  check(Number(outage) < 5, `out of the table ${outage} s after it stopped`);
  requests += await ask(client, vip, 100, { 'server-a': 100 });
  requests += await ask(client, vip6, 50, { 'server-a': 50 });

  await step('server-b is started again: it comes back by itself', async () => {
    await stopped.start();
    await director.waitForServers(`${vip}:80`, [a, b]);
    await director.waitForServers(`[${vip6}]:80`, [v6Of(a), v6Of(b)]);
  });
  requests += await ask(client, vip, 100, { 'server-a': 50, 'server-b': 50 });
  const { stdout: stats } = await director.cli('list -n --stats');
  command('director list -n --stats', stats);
  const counted = [...stats.matchAll(/^TCP +\S+ +(\d+) /gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
  check(counted === requests, `the director counted ${counted} connections for ${requests} requests`);
  return requests;
}

/** `10.2.0.21:80` as the address of the same server in IPv6. */
function v6Of(server: string): string {
  const [, net = '', last = '', port = ''] = /^10\.(\d+)\.0\.(\d+):(\d+)$/.exec(server) ?? [];
  return `[fd00:${net}::${last}]:${port}`;
}

async function showList(director: Director): Promise<void> {
  command('director list -n', (await director.cli('list -n')).stdout);
}

async function ask(
  client: Host,
  address: string,
  count: number,
  expected: Readonly<Record<string, number>>,
): Promise<number> {
  const url = urlOf(address);
  const { counts, failures } = await step(`${count} requests from the client to ${url}`, () =>
    request(client, url, count),
  );
  bars(counts);
  const text = Object.entries(expected)
    .map(([name, number]) => `${name} ${number}`)
    .join(', ');
  const isAsExpected =
    failures.length === 0 &&
    counts.size === Object.keys(expected).length &&
    Object.entries(expected).every(([name, number]) => counts.get(name) === number);
  const wrong = failures.length === 0 ? '' : `; ${failures.length} failed, the first: ${failures[0]}`;
  check(isAsExpected, `as rr should share them out: ${text}${wrong}`);
  return count;
}

/** A stopped director leaves nothing of its own behind. */
async function stop(host: Host, director: Director): Promise<void> {
  const exit = await step('director is stopped (SIGTERM)', () => director.stop());
  const devices = (await host.devices()).filter((name) => name.startsWith('uvs'));
  const addresses = (await host.addresses('eth0')).filter(
    (text) => text.startsWith(`${vip}/`) || text.startsWith(`${vip6}/`),
  );
  check(
    exit.code === 0,
    `it ended with exit code 0${exit.code === 0 ? '' : `: no, ${exit.code ?? exit.signal}`}`,
  );
  check(
    devices.length + addresses.length === 0,
    `its devices and addresses are gone${[...devices, ...addresses].map((name) => `; still there: ${name}`).join('')}`,
  );
}
