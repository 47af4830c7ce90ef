// Three hosts in a row, for links that a topology does not know (tunnel.ts): client, director and server, with the virtual
// addresses and the routes of NAT or DR. The addresses of both ends of link N are 10.N.0.X and fd00:N::X.

import type { Host } from './lab.js';
import { vip, vip6 } from './topologies.js';
import type { Topology } from './topology.js';

/** Without a cable: the links are made by `layOutChain`. */
export const chainTopology: Topology = {
  name: 'chain',
  hosts: {
    client: {},
    director: { sysctls: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } },
    server: {},
  },
};

/** The director has eth0 to the client, who has eth0, too. */
export type Chain = {
  readonly client: Host;
  readonly director: Host;
  readonly server: Host;
  /** Devices of the link between director and server. */
  readonly behind: { readonly director: string; readonly server: string };
};

/** `linkBack` makes a link eth1 to eth1: under DR the server answers by a way of its own, for the director would refuse its own address as a source. */
export async function layOutChain(
  { client, director, server, behind }: Chain,
  method: 'NAT' | 'DR',
  linkBack: () => Promise<unknown>,
): Promise<void> {
  await address(client, 'eth0', 1, 10);
  await address(director, 'eth0', 1, 2);
  await address(director, behind.director, 2, 1);
  await address(server, behind.server, 2, 21);
  await director.ip(`addr add ${vip}/32 dev eth0`);
  await director.ip(`addr add ${vip6}/128 dev eth0 nodad preferred_lft 0`);
  if (method === 'NAT') {
    for (const route of ['default via 10.2.0.1', '::/0 via fd00:2::1']) await server.ip(`route add ${route}`);
    return;
  }
  for (const at of [`${vip}/32`, `${vip6}/128`]) await server.ip(`addr add ${at} dev lo`);
  await linkBack();
  await address(client, 'eth1', 3, 10);
  await address(server, 'eth1', 3, 21);
  await server.ip('route add 10.1.0.0/24 via 10.3.0.10');
  await server.ip('route add fd00:1::/64 via fd00:3::10');
}

async function address(host: Host, device: string, net: number, last: number): Promise<void> {
  await host.ip(`addr add 10.${net}.0.${last}/24 dev ${device}`);
  await host.ip(`addr add fd00:${net}::${last}/64 dev ${device} nodad`);
  await host.ip(`link set ${device} up`);
}
