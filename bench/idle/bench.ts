// What a director costs that has nothing to do but check its servers: CPU time of all its processes, in seconds a minute.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Director, type Host, Lab, startHttp, topologies } from '../../test/support/lab/index.js';

export type IdleOptions = {
  readonly services: number;
  /** Of each service; each has one check. */
  readonly servers: number;
  readonly delayLoop_s: number;
  readonly seconds: number;
};

const ticksPerSecond = 100;
/** The first probes are spread over a round, and connections of the start are over by then. */
const warmup_s = 5;

/** CPU-seconds a minute of all processes in the director's namespace. */
export async function measureIdle({ services, servers, delayLoop_s, seconds }: IdleOptions): Promise<number> {
  await using lab = await Lab.create(topologies.nat());
  const real = lab.host('server-a');
  await startHttp(real);
  const addresses = Array.from({ length: servers }, (_, i) => `10.2.0.${101 + i}`);
  for (const address of addresses) await real.ip(`addr add ${address}/24 dev eth0`);
  const text = Array.from({ length: services }, (_, i) => serviceText(2_000 + i, addresses, delayLoop_s));
  const director = await Director.start(lab.host('director'), text.join('\n'));
  await pause(warmup_s);
  const before = await cpuSeconds(lab.host('director'));
  await pause(seconds);
  const after = await cpuSeconds(lab.host('director'));
  await director.stop();
  return ((after - before) * 60) / seconds;
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

async function cpuSeconds(host: Host): Promise<number> {
  const pids = (await host.exec(['ip', 'netns', 'pids', host.ns])).trim().split(/\s+/);
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0) / ticksPerSecond;
}

/** Ticks; 0 for a process that has ended, such as the one that asked. */
function cpuOf(pid: string): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, seconds * 1_000);
  });
}

export const idleBench = {
  about:
    'CPU-seconds a minute of a director that only checks (--services 100 --servers 10 --delay 10 --seconds 60)',
  run: async (args: readonly string[]): Promise<number> => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        services: { type: 'string', default: '100' },
        servers: { type: 'string', default: '10' },
        delay: { type: 'string', default: '10' },
        seconds: { type: 'string', default: '60' },
      },
    });
    const options = {
      services: Number(values.services),
      servers: Number(values.servers),
      delayLoop_s: Number(values.delay),
      seconds: Number(values.seconds),
    };
    const cost = await measureIdle(options);
    process.stdout.write(`${JSON.stringify(options)}: ${cost.toFixed(2)} CPU-s a minute\n`);
    return 0;
  },
};
