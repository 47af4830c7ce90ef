// Replays one recorded scenario through the whole path in memory. What the kernel chose is read by `expect…` alone;
// everything that is sent comes from the recorded commands and packets.

import { type IpAddress, parseIp } from '../../src/model/address.js';
import { everyClient } from '../../src/model/client-rules.js';
import {
  type DataplanePolicy,
  type Destination,
  defaultPolicy,
  type ForwardingMethod,
  type Scheduler,
  type SchedulerFlag,
  type Service,
  schedulers,
} from '../../src/model/forwarding-table.js';
import { addressService, type Protocol, serviceKey } from '../../src/model/service-id.js';
import { MemoryDirector, type Output } from '../support/memory-director.js';
import type { TransportPacket } from '../support/packets.js';

/** As the recording kernel ran. */
const kernelPolicy: DataplanePolicy = { ...defaultPolicy, expireNodestConn: 0 };

export type Step = {
  readonly ipvsadm?: string;
  readonly error?: string;
  readonly mark?: unknown;
  readonly sysctl?: string;
  readonly pkt?: readonly [Protocol, string, number, string, number, string];
  readonly open?: readonly [string, number, string, number];
  readonly to?: string;
  readonly counts?: Readonly<Record<string, Counts>>;
  readonly conns?: readonly string[];
};

export type Counts = {
  readonly fwd: string;
  readonly weight: number;
  readonly active: number;
  readonly inact: number;
};

export type Scenario = {
  readonly servers: Readonly<Record<string, string>>;
  readonly vip: string;
  readonly steps: readonly Step[];
};

/** What a scenario needs that uvs does not have yet; undefined: nothing. */
export function missingFeature(steps: readonly Step[]): string | undefined {
  for (const step of steps) {
    if (step.mark !== undefined) return 'fwmark';
    if (step.error !== undefined) return 'ipvsadm';
    const words = step.ipvsadm?.split(/\s+/) ?? [];
    if (words.includes('-p')) return 'persistence';
    if (words.includes('-f')) return 'fwmark';
    if (words.includes('-i')) return 'tun';
    const scheduler = option(words, '-s');
    if (scheduler !== undefined && !schedulers.includes(scheduler as Scheduler)) return scheduler;
    if (step.sysctl !== undefined && policyOf(step.sysctl) === undefined) return step.sysctl.split('=')[0];
  }
  return undefined;
}

/** The table that ipvsadm commands build; new servers go to the head of the list, as in the kernel. */
export class CommandTable {
  private readonly services = new Map<string, Service>();
  private policy: DataplanePolicy = kernelPolicy;

  run(command: string): void {
    const words = command.trim().split(/\s+/);
    if (words[0] === '--set') {
      const [tcp, fin, udp] = words.slice(1, 4).map(Number);
      this.set({
        ...(tcp ? { tcpTimeout_s: tcp } : {}),
        ...(fin ? { tcpFinTimeout_s: fin } : {}),
        ...(udp ? { udpTimeout_s: udp } : {}),
      });
      return;
    }
    const protocol: Protocol = words.includes('-u') ? 'udp' : 'tcp';
    const { address, port } = endpoint(option(words, protocol === 'udp' ? '-u' : '-t') ?? '');
    const id = addressService(protocol, address, port);
    const key = serviceKey(id);
    if (words[0] === '-A') {
      const flags = (option(words, '-b') ?? '')
        .split(',')
        .filter((flag): flag is SchedulerFlag => flag !== '');
      const scheduler = (option(words, '-s') ?? 'wlc') as Scheduler;
      const onePacket = words.includes('-o');
      this.services.set(key, {
        id,
        scheduler,
        flags,
        onePacket,
        isDraining: false,
        isStandby: false,
        destinations: [],
      });
      return;
    }
    const service = this.services.get(key);
    if (service === undefined) throw new Error(`no such service: ${command}`);
    const server = endpoint(option(words, '-r') ?? '');
    const isServer = (other: Destination) => other.address === server.address && other.port === server.port;
    const method: ForwardingMethod = words.includes('-m') ? 'nat' : 'dr';
    const made: Destination = {
      ...server,
      method,
      weight: Number(option(words, '-w') ?? 1),
      upperThreshold: Number(option(words, '-x') ?? 0),
      lowerThreshold: Number(option(words, '-y') ?? 0),
    };
    const old = service.destinations;
    const edit = (destinations: Destination[]) => this.services.set(key, { ...service, destinations });
    if (words[0] === '-a') edit([made, ...old]);
    else if (words[0] === '-e') edit(old.map((other) => (isServer(other) ? made : other)));
    else if (words[0] === '-d') edit(old.filter((other) => !isServer(other)));
    else throw new Error(`not understood: ${command}`);
  }

  set(policy: Partial<DataplanePolicy>): void {
    this.policy = { ...this.policy, ...policy };
  }

  table() {
    return {
      services: [...this.services.values()],
      closedAddresses: [],
      clients: everyClient,
      policy: this.policy,
    };
  }
}

/** Runs every step; `report` gets each difference from the recording. */
export async function replay(scenario: Scenario, report: (difference: string) => void): Promise<void> {
  const servers = Object.fromEntries(
    Object.entries(scenario.servers).map(([name, text]) => [name, ip(text)]),
  );
  const director = new MemoryDirector(servers, [ip(scenario.vip)]);
  const commands = new CommandTable();
  const nameOf = new Map(Object.entries(servers).map(([name, address]) => [address as string, name]));
  for (const [i, step] of scenario.steps.entries()) {
    const expectEqual = (what: string, seen: unknown, recorded: unknown) => {
      if (JSON.stringify(seen) === JSON.stringify(recorded)) return;
      report(`step ${i} ${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(recorded)}`);
    };
    if (step.ipvsadm !== undefined) {
      commands.run(step.ipvsadm);
      await director.publish(commands.table());
    }
    if (step.sysctl !== undefined) {
      commands.set(policyOf(step.sysctl) ?? {});
      await director.publish(commands.table());
    }
    if (step.pkt !== undefined) {
      const [protocol, source, sourcePort, destination, destinationPort, flags] = step.pkt;
      const packet = {
        protocol,
        source: ip(source),
        sourcePort,
        destination: ip(destination),
        destinationPort,
        flags,
      };
      expectEqual(step.pkt.join(' '), outcome(director, packet, director.fromClient(packet)), step.to);
    }
    if (step.open !== undefined) {
      const [source, sourcePort, destination, destinationPort] = step.open;
      const end = { source: ip(source), sourcePort, destination: ip(destination), destinationPort };
      const syn: TransportPacket = { protocol: 'tcp', ...end, flags: 'S' };
      const to = outcome(director, syn, director.fromClient(syn));
      expectEqual(`open ${step.open.join(' ')}`, to, step.to);
      if (to !== 'none' && !to.startsWith('back')) {
        const ack: TransportPacket = { ...syn, flags: 'A' };
        expectEqual(`open ${step.open.join(' ')} ACK`, outcome(director, ack, director.fromClient(ack)), to);
      }
    }
    if (step.counts !== undefined) {
      expectEqual('counts', sortedCounts(countsOf(director, nameOf)), sortedCounts(step.counts));
    }
    if (step.conns !== undefined) {
      const seen = (await director.connections()).map(connectionText);
      expectEqual('conns', seen.sort(), [...step.conns].sort());
    }
  }
}

/** Where a packet came out, in the recording's words: a server's letter, `back:…` or `none`. */
function outcome(director: MemoryDirector, sent: TransportPacket, outputs: readonly Output[]): string {
  if (outputs.length > 1) return `${outputs.length} packets`;
  const [output] = outputs;
  if (output === undefined) return 'none';
  const { verdict, packet } = output;
  if (verdict === 'forward') return director.serverOf(packet) ?? `forwarded to ${packet.destinationMac}`;
  if (verdict === 'toHost') return hostAnswer(sent);
  if ('flags' in packet) return `back:${packet.protocol}:${packet.flags}`;
  return `back:${packet.protocol}:${packet.type}/${packet.code}`;
}

/** What the host's own stack, where nobody listens, sends for a packet that we gave back (RFC 9293 3.10.7.1). */
function hostAnswer(sent: TransportPacket): string {
  if (sent.protocol === 'udp') return sent.source.includes(':') ? 'back:icmp6:1/4' : 'back:icmp:3/3';
  if (sent.flags.includes('R')) return 'none';
  return sent.flags.includes('A') ? 'back:tcp:R' : 'back:tcp:RA';
}

function countsOf(director: MemoryDirector, nameOf: ReadonlyMap<string, string>): Record<string, Counts> {
  const counts: Record<string, Counts> = {};
  for (const service of director.services()) {
    for (const { address, method, weight, active, inactive } of service.destinations) {
      const fwd = method === 'nat' ? 'Masq' : 'Route';
      counts[nameOf.get(address) ?? address] = { fwd, weight, active, inact: inactive };
    }
  }
  return counts;
}

function sortedCounts(counts: Readonly<Record<string, Counts>>) {
  return Object.entries(counts)
    .map(
      ([name, { fwd, weight, active, inact }]) =>
        `${name} ${fwd} weight ${weight} active ${active} inactive ${inact}`,
    )
    .sort();
}

function connectionText(record: Awaited<ReturnType<MemoryDirector['connections']>>[number]): string {
  const ends = [record.client, record.virtual, record.destination].map(
    ({ address, port }) => `${address}:${port}`,
  );
  return `${record.protocol.toUpperCase()} ${ends.join(' ')} ${record.state}`;
}

function policyOf(sysctl: string): Partial<DataplanePolicy> | undefined {
  const [name, value] = sysctl.replace('net.ipv4.vs.', '').split('=');
  const number = Number(value);
  switch (name) {
    case 'sloppy_tcp':
      return { sloppyTcp: number !== 0 };
    case 'expire_nodest_conn':
      return { expireNodestConn: number === 0 ? 0 : 1 };
    case 'conn_reuse_mode':
      return { connReuseMode: number as DataplanePolicy['connReuseMode'] };
    default:
      return undefined;
  }
}

function option(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words[at + 1];
}

function endpoint(text: string): { address: IpAddress; port: number } {
  const colon = text.lastIndexOf(':');
  return { address: ip(text.slice(0, colon).replace(/[[\]]/g, '')), port: Number(text.slice(colon + 1)) };
}

function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}
