// Reload under load: a server is removed, a weight changed, a service added and another removed while connections on the
// changed services run on. None of them may be lost, and no new request may fail.

import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  configText,
  connectError,
  Director,
  type Host,
  iperf,
  Lab,
  labNeeds,
  makeFile,
  md5Of,
  request,
  type ServiceSpec,
  serverAt,
  startHttp,
  startIperf,
  topologies,
  urlOf,
  vip,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const modes = [
  { method: 'DR', topology: topologies.dr({ servers: 3 }), net: 1 },
  { method: 'NAT', topology: topologies.nat({ servers: 3 }), net: 2 },
] as const;

requires(...labNeeds).describe('reload under load', () => {
  describe.each(modes)('$method', ({ method, topology, net }) => {
    const server = (index: number, port: number, weight = 1) => ({
      ...serverAt(vip, net, index, port),
      weight,
    });
    const service = (port: number, scheduler: string, servers: ServiceSpec['servers']): ServiceSpec => ({
      address: vip,
      port,
      method,
      scheduler,
      servers,
    });
    const before = configText([
      service(80, 'wrr', [server(0, 80), server(1, 80)]),
      service(5201, 'wrr', [server(0, 5201)]),
      service(8081, 'rr', [server(2, 8081)]),
    ]);
    const after = configText([
      service(80, 'wrr', [server(0, 80, 3)]),
      service(5201, 'wrr', [server(0, 5201, 2), server(1, 5201, 0)]),
      service(8080, 'rr', [server(2, 8080)]),
    ]);

    test('no connection is lost and no request fails', async () => {
      await using lab = await Lab.create(topology);
      const client = lab.host('client');
      for (const name of ['server-a', 'server-b', 'server-c']) {
        await startHttp(lab.host(name), { ports: [80, 8080, 8081], slowRate: '2m' });
      }
      await startIperf(lab.host('server-a'));
      const { md5 } = makeFile(lab, 'slow', 16);
      const director = await Director.start(lab.host('director'), before);

      const downloads = [80, 80, 80, 80, 8081, 8081].map((port, index) => download(client, port, index));
      const stream = iperf(client, vip, { seconds: 6 });
      const load = new Load(client);
      // All of them run before anything changes, and after.
      await waitFor(
        'all downloads to run',
        async () => (await runningDownloads(director)) >= downloads.length,
      );

      // By the socket: the downloads would be over before two commands have started on a busy machine.
      writeFileSync(director.configFile, after);
      expect(await director.api('POST', '/v1/reload')).toMatchObject({ status: 200 });
      expect(await runningDownloads(director)).toBeGreaterThanOrEqual(downloads.length);
      // The removed server waits, without new connections, until its last one has ended.
      expect((await weightsOf(director, 80)).sort()).toEqual([0, 3]);

      expect((await request(client, urlOf(vip, 8080), 5)).counts.get('server-c')).toBe(5);
      const { counts, failures } = await request(client, urlOf(vip), 20);
      expect(failures).toEqual([]);
      expect(Object.fromEntries(counts)).toEqual({ 'server-a': 20 });

      // The removed service takes no new connection; its old ones are among the downloads.
      expect(await connectError(client, vip, 8081)).toBe('Connection refused');
      expect(await Promise.all(downloads)).toEqual(downloads.map(() => md5));
      expect((await stream).bytes).toBeGreaterThan(1e7);
      expect(await load.stop()).toMatchObject({ failures: [] });
    });
  });

  test('a broken file changes nothing and is explained', async () => {
    await using lab = await Lab.create(topologies.nat());
    await Promise.all(['server-a', 'server-b'].map((name) => startHttp(lab.host(name))));
    const servers = [serverAt(vip, 2, 0), serverAt(vip, 2, 1)];
    const good = configText([{ address: vip, port: 80, method: 'NAT', servers }]);
    const director = await Director.start(lab.host('director'), good);
    const result = await director.reload(good.replace('real_server', 'reel_server'));
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/:\d+:\d+: error: .*reel_server/);
    expect((await request(lab.host('client'), urlOf(vip), 4)).counts.size).toBe(2);
  });
});

/** Fetches the slow file and gives its MD5. */
async function download(client: Host, port: number, index: number): Promise<string> {
  const copy = client.file(`copy-${index}`);
  await client.exec(['curl', '-sSf', '--max-time', '60', '-o', copy, urlOf(vip, port, '/slow/slow')]);
  return md5Of(copy);
}

async function runningDownloads(director: Director): Promise<number> {
  type Row = { readonly state: string; readonly virtual: { readonly port: number } };
  const { body } = await director.api('GET', '/v1/connections?limit=10000');
  const { connections } = body as { readonly connections: readonly Row[] };
  return connections.filter(
    ({ state, virtual }) => state === 'ESTABLISHED' && [80, 8081].includes(virtual.port),
  ).length;
}

/** Of the servers in the table of the service on that port. */
async function weightsOf(director: Director, port: number): Promise<number[]> {
  type Service = {
    readonly id: { readonly port: number };
    readonly destinations: readonly { readonly weight: number }[];
  };
  const { services } = (await director.api('GET', '/v1/services')).body as { services: readonly Service[] };
  return (services.find(({ id }) => id.port === port)?.destinations ?? []).map(({ weight }) => weight);
}

/** Short requests one after another until it is stopped. */
class Load {
  #isRunning = true;
  readonly #done: Promise<{ readonly requests: number; readonly failures: readonly string[] }>;

  constructor(client: Host) {
    this.#done = this.#run(client);
  }

  async #run(client: Host) {
    const failures: string[] = [];
    let requests = 0;
    while (this.#isRunning) {
      const answers = await request(client, urlOf(vip), 20);
      failures.push(...answers.failures);
      requests += 20;
    }
    return { requests, failures };
  }

  stop() {
    this.#isRunning = false;
    return this.#done;
  }
}
