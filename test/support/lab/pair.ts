// Two directors, a client and two real servers: the scene of nearly every failover test, with the instruments that say
// what happened. Whoever runs on the directors is the test's business.

import { AddressWatch, overlapMicros } from './address-watch.js';
import { Adverts } from './adverts.js';
import { Cable } from './cable.js';
import { configText, serverAt } from './config.js';
import { startHttp } from './http.js';
import { type Host, Lab } from './lab.js';
import { Meter, nowMicros, type Outage } from './meter.js';
import { twoDirectors, vip, vip6 } from './topologies.js';
import { groupText, type RouterSpec, routerText } from './vrrp-config.js';

export class Pair implements AsyncDisposable {
  readonly client: Host;
  readonly a: Host;
  readonly b: Host;

  private constructor(
    readonly lab: Lab,
    readonly adverts: Adverts,
  ) {
    this.client = lab.host('client');
    this.a = lab.host('director-a');
    this.b = lab.host('director-b');
  }

  /** Servers answer, and what passes the switch is captured. */
  static async create(method: 'DR' | 'NAT' = 'DR'): Promise<Pair> {
    const lab = await Lab.create(twoDirectors(method));
    try {
      await Promise.all([startHttp(lab.host('server-a')), startHttp(lab.host('server-b'))]);
      return new Pair(lab, await Adverts.start(lab.host('switch')));
    } catch (error) {
      await lab.dispose();
      throw error;
    }
  }

  cable(of: 'director-a' | 'director-b', device = 'eth0'): Cable {
    return new Cable(this.lab, of, device);
  }

  /** What a client that asks 100 times a second misses while `act` runs and until it has been answered again. */
  async outageDuring(
    act: () => Promise<unknown>,
    address = vip,
  ): Promise<Outage & { readonly names: readonly string[] }> {
    const meter = await Meter.start(this.client, address);
    await meter.waitForAnswers(10);
    const since = nowMicros();
    await act();
    await meter.waitForAnswers(10, nowMicros());
    await meter.stop();
    const names = new Set(
      meter.record().flatMap(({ name, endedMicros }) => (endedMicros >= since ? (name ?? []) : [])),
    );
    return { ...meter.outage(since), names: [...names].sort() };
  }

  /** Watches who has the address; the function gives how long both had it so far, when the notes are complete. */
  async watchOverlap(address = vip): Promise<() => Promise<number>> {
    const watches = [await AddressWatch.start(this.a, address), await AddressWatch.start(this.b, address)];
    return async () => {
      const [left = [], right = []] = await Promise.all(watches.map((watch) => watch.settled()));
      return overlapMicros(left, right);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.dispose();
  }
}

/** Configuration of a director: virtual routers, and a service by DR on each of the usual virtual IPs that they have. */
export function directorText(
  routers: readonly RouterSpec[],
  options: { readonly head?: string; readonly group?: string; readonly method?: 'DR' | 'NAT' } = {},
): string {
  const method = options.method ?? 'DR';
  const net = method === 'DR' ? 1 : 2;
  const addresses = routers.flatMap((router) => router.addresses.map((line) => line.split(/[/ ]/)[0]));
  const services = [vip, vip6]
    .filter((address) => addresses.includes(address))
    .map((address) => ({
      address,
      port: 80,
      method,
      servers: [serverAt(address, net, 0), serverAt(address, net, 1)],
    }));
  const names = routers.map((router) => router.name ?? 'VI_1');
  return [
    options.head ?? '',
    ...(options.group === undefined ? [] : [groupText(options.group, names)]),
    ...routers.map(routerText),
    configText(services),
  ].join('\n');
}
