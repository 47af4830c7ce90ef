// The cable between a host of the lab and its switch, and the ways in which it fails. Both ends are veth devices: one
// that is down takes the carrier from the other, so a silent failure unplugs the switch's end from the bridge instead.
//
//     director-a eth0 ────── port1 ── br0 (namespace of the switch)

import type { Host, Lab } from './lab.js';
import { splitPort } from './topology.js';

/** `host`: the host's own device is set down. `carrier`: the far end is. `silent`: nothing passes, nobody is told. */
export type Cut = 'host' | 'carrier' | 'silent';

/** `from`: what the host sends is lost; `to`: what is sent to it. */
export type Direction = 'from' | 'to';

export class Cable {
  readonly #host: Host;
  readonly #device: string;
  readonly #switch: Host;
  readonly #port: string;

  /** The cable of that device of that host. */
  constructor(lab: Lab, host: string, device = 'eth0') {
    this.#host = lab.host(host);
    this.#device = device;
    for (const [name, ports] of Object.entries(lab.topology.segments ?? {})) {
      const index = ports.findIndex((port) => {
        const end = splitPort(port);
        return end.host === host && end.device === device;
      });
      if (index === -1) continue;
      this.#switch = lab.host(name);
      this.#port = `port${index}`;
      return;
    }
    throw new Error(`${host}:${device} is on no switch`);
  }

  async cut(how: Cut): Promise<void> {
    if (how === 'host') await this.#host.ip(`link set ${this.#device} down`);
    else if (how === 'carrier') await this.#switch.ip(`link set ${this.#port} down`);
    else await this.#switch.ip(`link set ${this.#port} nomaster`);
  }

  /**
   * Loses packets of one direction, at the switch, so that the host's own captures still see what it sends.
   * `match` is nft's language: empty for everything, `ip protocol vrrp` for adverts.
   */
  async drop(direction: Direction, match = ''): Promise<void> {
    const hook = direction === 'from' ? 'ingress' : 'egress';
    const table = this.#table(direction);
    const chain = `type filter hook ${hook} device ${this.#port} priority 0\n${match} drop`;
    await this.#switch.exec(['nft', '-f', '-'], {
      stdin: `table netdev ${table} {\nchain lost {\n${chain}\n}\n}\n`,
    });
  }

  /** Everything passes again, whatever was done to it; addresses of a device that was down are as they were. */
  async restore(): Promise<void> {
    for (const direction of ['from', 'to'] as const) {
      await this.#switch.tryExec(`nft delete table netdev ${this.#table(direction)}`);
    }
    await this.#switch.ip(`link set ${this.#port} master br0`);
    await this.#switch.ip(`link set ${this.#port} up`);
    await this.#host.ip(`link set ${this.#device} up`);
  }

  #table(direction: Direction): string {
    return `uvs_lab_${this.#port}_${direction}`;
  }
}
