// A director in memory for tests: the addon's whole path on memory_link, on a clock that the test turns, with clients
// on one link and servers on another. Says of every packet where it came out.

import { NativeTables } from '../../src/dataplane/native.js';
import {
  loadNative,
  type MemoryOutput,
  type NativeMemoryDataplane,
} from '../../src/dataplane/native-module.js';
import type { IpAddress } from '../../src/model/address.js';
import type { ForwardingTable } from '../../src/model/forwarding-table.js';
import { buildFrame, readFrame, type SeenPacket, type TransportPacket } from './packets.js';

const clientLink = { ifindex: 2, mtu: 1500, mac: '02:00:00:00:02:00' };
const serverLink = { ifindex: 3, mtu: 1500, mac: '02:00:00:00:03:00' };
const clientRouterMac = '02:00:00:00:02:01';

export type Output = { readonly verdict: MemoryOutput['verdict']; readonly packet: SeenPacket };

export class MemoryDirector {
  private readonly native: NativeMemoryDataplane;
  private readonly tables: NativeTables;
  private now = 1_000_000_000;

  /** `servers`: name → address; the server's MAC is made of its place. `vips` are the machine's own addresses. */
  constructor(
    private readonly servers: Readonly<Record<string, IpAddress>>,
    vips: readonly IpAddress[],
    connections = 4096,
  ) {
    const neighbours = Object.values(servers).map((address, i) => ({
      address,
      ifindex: 3,
      mac: serverMac(i),
    }));
    this.native = new (loadNative().MemoryDataplane)({
      connections,
      host: {
        links: [clientLink, serverLink],
        addresses: [
          ...vips.map((address) => ({ address, ifindex: 2 })),
          { address: '172.16.255.1', ifindex: 2 },
          { address: 'fd16::ffff', ifindex: 2 },
        ],
        routes: [
          ...Object.values(servers).map((address) => ({
            prefix: `${address}/${address.includes(':') ? 128 : 32}`,
            ifindex: 3,
          })),
          { prefix: '0.0.0.0/0', ifindex: 2, gateway: '172.16.255.254' },
          { prefix: '::/0', ifindex: 2, gateway: 'fd16::fffe' },
        ],
        neighbours: [
          ...neighbours,
          { address: '172.16.255.254', ifindex: 2, mac: clientRouterMac },
          { address: 'fd16::fffe', ifindex: 2, mac: clientRouterMac },
        ],
      },
    });
    this.tables = new NativeTables(this.native);
  }

  /** The data plane may need turns to take the table up: nobody else turns its worker. */
  async publish(table: ForwardingTable): Promise<void> {
    await this.turning(this.tables.publish(table));
  }

  async connections() {
    const page = await this.turning(this.tables.connections(100_000));
    return page.connections;
  }

  services() {
    return [...this.tables.services()];
  }

  status() {
    return this.native.status();
  }

  /** Moves the clock on by `seconds` and lets timers expire. */
  wait(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.now += 1_000_000;
      this.native.runOnce(this.now);
    }
  }

  /** A packet from the clients' side and what came of it. */
  fromClient(packet: TransportPacket): Output[] {
    return this.send(clientLink, packet);
  }

  fromServer(packet: TransportPacket): Output[] {
    return this.send(serverLink, packet);
  }

  /** The name of the server whose MAC the packet goes to. */
  serverOf(packet: SeenPacket): string | undefined {
    return Object.keys(this.servers).find((_, i) => serverMac(i) === packet.destinationMac);
  }

  private send(link: typeof clientLink, packet: TransportPacket): Output[] {
    this.native.inject(link.ifindex, buildFrame(packet, link.mac));
    this.now += 1;
    this.native.runOnce(this.now);
    return this.native.take().map(({ verdict, bytes }) => ({ verdict, packet: readFrame(bytes) }));
  }

  private async turning<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      this.native.runOnce(this.now);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return done;
  }
}

function serverMac(index: number): string {
  return `02:00:00:00:03:${(index + 0x10).toString(16)}`;
}
