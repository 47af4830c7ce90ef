// What a director costs that has nothing to do but check its servers and look after its virtual addresses: CPU time of all its
// processes and of their threads, in seconds a minute.

import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Director, type Host, Lab, startHttp, topologies } from '../../test/support/lab/index.js';

export type IdleOptions = {
  readonly services: number;
  /** Of each service; each has one check. */
  readonly servers: number;
  readonly delayLoop_s: number;
  /** Virtual addresses of a master. */
  readonly addresses: number;
  readonly seconds: number;
};

/** The first probes are spread over a round, and most of what V8 compiles beside them is compiled by then. */
const warmup_s = 40;

/** CPU-seconds a minute of each thread in the director's namespace, by process, thread and number. */
export async function measureIdle(options: IdleOptions): Promise<ReadonlyMap<string, number>> {
  const { services, servers, delayLoop_s, seconds } = options;
  await using lab = await Lab.create(topologies.nat());
  const real = lab.host('server-a');
  await startHttp(real);
  const checked = Array.from({ length: servers }, (_, i) => `10.2.0.${101 + i}`);
  for (const address of checked) await real.ip(`addr add ${address}/24 dev eth0`);
  const text = Array.from({ length: services }, (_, i) => serviceText(2_000 + i, checked, delayLoop_s));
  const director = await Director.start(
    lab.host('director'),
    [...text, routerText(options.addresses)].join('\n'),
  );
  await pause(warmup_s);
  const pids = await processesOf(lab.host('director'));
  const before = cpuOf(pids);
  await pause(seconds);
  const after = cpuOf(pids);
  await director.stop();
  return new Map(
    [...after].map(([thread, used]) => [thread, ((used - (before.get(thread) ?? 0)) * 60) / seconds]),
  );
}

/** The only one there: master after its first three seconds. */
function routerText(addresses: number): string {
  if (addresses === 0) return '';
  const list = Array.from({ length: addresses }, (_, i) => `10.1.0.${101 + i}/24`);
  return `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
      ${list.join('\n')}
    }
  }`;
}

function serviceText(port: number, addresses: readonly string[], delayLoop_s: number): string {
  const servers = addresses.map((address) => `real_server ${address} 80 {\nTCP_CHECK {\n}\n}`);
  return `virtual_server 10.1.0.100 ${port} {
    delay_loop ${delayLoop_s}
    lb_algo rr
    lb_kind NAT
    protocol TCP
    ${servers.join('\n')}
  }`;
}

async function processesOf(host: Host): Promise<readonly string[]> {
  return (await host.exec(['ip', 'netns', 'pids', host.ns])).trim().split(/\s+/);
}

/** Seconds of each thread; a process that has ended, such as the one that asked, has none. */
function cpuOf(pids: readonly string[]): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const pid of pids) {
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const read = (name: string) => readFileSync(`/proc/${pid}/task/${thread}/${name}`, 'latin1').trim();
        const name = `${pid === thread ? '' : `${pid} `}${read('comm')} ${thread}`;
        used.set(name, Number(read('schedstat').split(' ')[0]) / 1e9);
      }
    } catch {
      // It has ended.
    }
  }
  return used;
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1_000);
  });
}

export const idleBench = {
  about:
    'CPU-seconds a minute of a director that only checks (--services 100 --servers 10 --delay 10 --addresses 0 --seconds 60)',
  run: async (args: readonly string[]): Promise<number> => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        services: { type: 'string', default: '100' },
        servers: { type: 'string', default: '10' },
        delay: { type: 'string', default: '10' },
        addresses: { type: 'string', default: '0' },
        seconds: { type: 'string', default: '60' },
      },
    });
    const options = {
      services: Number(values.services),
      servers: Number(values.servers),
      delayLoop_s: Number(values.delay),
      addresses: Number(values.addresses),
      seconds: Number(values.seconds),
    };
    const costs = [...(await measureIdle(options))].sort(([, a], [, b]) => b - a);
    const sum = costs.reduce((total, [, cost]) => total + cost, 0);
    process.stdout.write(`${JSON.stringify(options)}: ${sum.toFixed(3)} CPU-s a minute\n`);
    for (const [thread, cost] of costs)
      if (cost >= 0.001) process.stdout.write(`  ${cost.toFixed(3)}  ${thread}\n`);
    return 0;
  },
};
