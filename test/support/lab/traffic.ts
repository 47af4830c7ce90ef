// Traffic other than HTTP: iperf3 in both directions, UDP servers and datagrams by socat, pings,
// and files of random bytes with their MD5.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiled } from './compile.js';
import type { Host, Lab } from './lab.js';
import type { TrackedProcess } from './process.js';
import { waitFor } from './wait.js';

/** An iperf3 server; one test at a time. */
export async function startIperf(host: Host, port = 5201): Promise<TrackedProcess> {
  const child = host.spawn(`iperf3 -s --forceflush -p ${port}`, { name: 'iperf3' });
  await child.waitForOutput(/Server listening/);
  return child;
}

export type IperfOptions = {
  readonly port?: number;
  readonly seconds?: number;
  readonly streams?: number;
  /** The server sends. */
  readonly reverse?: boolean;
};

export type IperfResult = {
  readonly bitsPerSecond: number;
  readonly bytes: number;
  readonly retransmits: number;
};

/** A TCP test from `client`; what the receiver has got counts. */
export async function iperf(client: Host, address: string, options: IperfOptions = {}): Promise<IperfResult> {
  const seconds = options.seconds ?? 2;
  const output = await client.exec(
    [
      'iperf3',
      '-J',
      ...['-c', address],
      ...['-p', String(options.port ?? 5201)],
      ...['-t', String(seconds)],
      ...['-P', String(options.streams ?? 1)],
      ...(options.reverse === true ? ['-R'] : []),
    ],
    { timeout_s: seconds + 30 },
  );
  type Sum = { bits_per_second: number; bytes: number; retransmits?: number };
  const { end } = JSON.parse(output) as { end: { sum_received: Sum; sum_sent: Sum } };
  return {
    bitsPerSecond: end.sum_received.bits_per_second,
    bytes: end.sum_received.bytes,
    retransmits: end.sum_sent.retransmits ?? 0,
  };
}

/** A UDP server bound to `address` (under DR the virtual IP): says the host's name, or gives back what it got. */
export async function startUdp(
  host: Host,
  address: string,
  port: number,
  answer: 'name' | 'echo',
): Promise<TrackedProcess> {
  const isV6 = address.includes(':');
  const listen = `UDP${isV6 ? 6 : 4}-RECVFROM:${port},bind=${isV6 ? `[${address}]` : address},fork`;
  // It reads before it speaks: socat gives up on a program that ends with the question unread.
  const action = answer === 'echo' ? 'PIPE' : `SYSTEM:head -c1 >/dev/null; printf ${host.name}`;
  const child = host.spawn(['socat', '-b65536', listen, action], { name: `udp-${port}` });
  await waitFor(`UDP port ${port} on ${host.name}`, async () =>
    (await host.exec(`ss -Hlun sport = :${port}`)).includes(`:${port}`),
  );
  return child;
}

/** How many of `count` datagrams to an echo service come back whole, their fragments sent in reverse (shuffled.c). */
export async function shuffledDatagrams(
  client: Host,
  address: string,
  port: number,
  count: number,
): Promise<number> {
  const program = await compiled(client.lab, 'shuffled');
  return Number(await client.exec([program, address, String(port), String(count)]));
}

/** Sends one datagram and gives the answer, empty when none came within `wait_s`; `from`: the client's port, else any. */
export async function datagram(
  client: Host,
  address: string,
  port: number,
  payload: string | Uint8Array,
  { wait_s = 3, from = 0 } = {},
): Promise<string> {
  const target = `${socatAddress('UDP', address, port)}${from === 0 ? '' : `,sourceport=${from}`}`;
  const { stdout } = await client.tryExec(['socat', '-b65536', `-t${wait_s}`, '-', target], {
    stdin: payload,
    endsAtOutput: true,
  });
  return stdout;
}

/** Why a TCP connection can't be made, in the system's words; empty when it can. */
export async function connectError(client: Host, address: string, port: number): Promise<string> {
  const target = `${socatAddress('TCP', address, port)},connect-timeout=2`;
  const result = await client.tryExec(['socat', '-u', 'OPEN:/dev/null', target]);
  return result.code === 0 ? '' : (/: ([^:\n]+)\n*$/.exec(result.stderr)?.[1] ?? result.stderr);
}

/** What the client is told of a datagram within a second; '' when it is told nothing. */
export async function datagramError(client: Host, address: string, port: number): Promise<string> {
  const ask = `echo ? | socat -t 1 - '${socatAddress('UDP', address, port)}'`;
  const result = await client.tryExec(['sh', '-c', ask]);
  return /: ([^:\n]+)\n*$/.exec(result.stderr)?.[1] ?? result.stderr;
}

function socatAddress(protocol: 'TCP' | 'UDP', address: string, port: number): string {
  return address.includes(':') ? `${protocol}6:[${address}]:${port}` : `${protocol}4:${address}:${port}`;
}

/** A file of random bytes that every HTTP server of the lab serves below /files/ and /slow/. */
export function makeFile(
  lab: Lab,
  name: string,
  megabytes: number,
): { readonly path: string; readonly md5: string } {
  const path = join(lab.dir, 'files', name);
  const chunk = 1024 * 1024;
  const bytes = Buffer.alloc(megabytes * chunk);
  for (let offset = 0; offset < bytes.length; offset += chunk) randomBytes(chunk).copy(bytes, offset);
  writeFileSync(path, bytes);
  return { path, md5: createHash('md5').update(bytes).digest('hex') };
}

export function md5Of(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}

/** How many of `count` echo requests were answered; -1 when ping could not run. */
export async function ping(from: Host, address: string, count = 3): Promise<number> {
  const result = await from.tryExec(`ping -n -i 0.1 -W 1 -c ${count} ${address}`);
  return Number(/(\d+) received/.exec(result.stdout)?.[1] ?? -1);
}
