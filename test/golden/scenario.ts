// Replays one recorded scenario through the whole path in memory. What the kernel chose is read by `expect…` alone;
// everything that is sent comes from the recorded commands and packets.

import { ChangeError } from '../../src/errors.js';
import { destinationOf } from '../../src/health/pool.js';
import { changeOf, kernelWords } from '../../src/ipvsadm/changes.js';
import { parseCommand } from '../../src/ipvsadm/parse.js';
import { Refusal } from '../../src/ipvsadm/scan.js';
import { type IpAddress, parseIp } from '../../src/model/address.js';
import { everyClient } from '../../src/model/client-rules.js';
import { emptyConfig } from '../../src/model/diff.js';
import type { DirectorConfig } from '../../src/model/director-config.js';
import {
  type DataplanePolicy,
  defaultPolicy,
  type ForwardingTable,
} from '../../src/model/forwarding-table.js';
import type { Protocol } from '../../src/model/service-id.js';
import { applyChanges, type ChangeRequest } from '../../src/runtime/changes.js';
import { rowHead } from '../../src/runtime/service-state.js';
import { MemoryDirector, type Output } from '../support/memory-director.js';
import type { TransportPacket } from '../support/packets.js';
import { recordedNames } from '../support/recorded-ipvsadm.js';

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
    if (step.sysctl !== undefined && policyOf(step.sysctl) === undefined) return step.sysctl.split('=')[0];
    const missing = step.ipvsadm === undefined ? undefined : missingIn(step.ipvsadm);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

/** The words of a refusal -> the feature's name in the summary. */
const features = [
  { words: /firewall mark/, name: 'fwmark' },
  { words: /TUN/, name: 'tun' },
] as const;

function missingIn(command: string): string | undefined {
  try {
    changeIn(command);
    return undefined;
  } catch (error) {
    const [, what] = /^(.*) is not in effect yet$/.exec((error as Error).message) ?? [];
    return what === undefined ? undefined : (features.find(({ words }) => words.test(what))?.name ?? what);
  }
}

/** What `director ipvsadm` would ask of a director; throws what it would say. */
function changeIn(command: string): ChangeRequest {
  const parsed = parseCommand(command.trim().split(/\s+/), recordedNames);
  if (parsed.kind === 'refused') throw new Refusal(parsed.message, parsed.code);
  const change = parsed.kind === 'command' ? changeOf(parsed.command) : undefined;
  if (change === undefined) throw new Error(`changes nothing: ${command}`);
  return change;
}

/** The table that ipvsadm's commands build, by the front and the changes of the director itself. */
export class CommandTable {
  private config: DirectorConfig = emptyConfig;
  private policy: Partial<DataplanePolicy> = {};

  /** What ipvsadm says where it refuses. */
  async run(command: string): Promise<string | undefined> {
    let change: ChangeRequest | undefined;
    try {
      change = changeIn(command);
      ({ config: this.config } = await applyChanges(this.config, [change], () => undefined));
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) return error.message;
      if (!(error instanceof ChangeError) || change === undefined) throw error;
      return kernelWords(change.kind, error.reason) ?? error.message;
    }
  }

  set(policy: Partial<DataplanePolicy>): void {
    this.policy = { ...this.policy, ...policy };
  }

  /** New servers come to the head of the list, as in the kernel. */
  table(): ForwardingTable {
    const { global, virtualServers } = this.config;
    return {
      services: virtualServers.map((service) => ({
        ...rowHead(service),
        isDraining: false,
        isStandby: false,
        destinations: service.realServers.toReversed().map(destinationOf),
      })),
      closedAddresses: [],
      clients: everyClient,
      policy: {
        ...kernelPolicy,
        tcpTimeout_s: global.tcpTimeout_s ?? kernelPolicy.tcpTimeout_s,
        tcpFinTimeout_s: global.tcpFinTimeout_s ?? kernelPolicy.tcpFinTimeout_s,
        udpTimeout_s: global.udpTimeout_s ?? kernelPolicy.udpTimeout_s,
        ...this.policy,
      },
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
      const said = await commands.run(step.ipvsadm);
      expectEqual(step.ipvsadm, said, step.error);
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
    case 'expire_quiescent_template':
      return { expireQuiescentTemplate: number !== 0 };
    case 'conn_reuse_mode':
      return { connReuseMode: number as DataplanePolicy['connReuseMode'] };
    default:
      return undefined;
  }
}

function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}
