// The networks of the demo, the tests and the benches. Addresses are the same in IPv4 and IPv6: 10.N.0.X and fd00:N::X.
// Client .10, director .2, real servers .21 .22 …, virtual IP .100.

import type { HostSpec, Port, Topology } from './topology.js';

export const vip = '10.1.0.100';
export const vip6 = 'fd00:1::100';

const router = { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 };

// A real server under DR has the virtual IP on lo, answers no ARP for it, and never asks with it as the sender.
const silentVip = {
  'net.ipv4.conf.all.arp_ignore': 1,
  'net.ipv4.conf.default.arp_ignore': 1,
  'net.ipv4.conf.all.arp_announce': 2,
  'net.ipv4.conf.default.arp_announce': 2,
};

export type TopologyOptions = {
  /** How many real servers; default 2. */
  readonly servers?: number;
  /** Whether the director's device has the virtual IP from the beginning; default true. */
  readonly hasVip?: boolean;
};

/** `server-a`, `server-b`, … */
export function serverNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `server-${String.fromCharCode(97 + index)}`);
}

/** Both addresses of host `last` in network `net`, with prefix length. */
function both(net: number, last: number): readonly string[] {
  return [`10.${net}.0.${last}/24`, `fd00:${net}::${last}/64`];
}

function defaultVia(net: number, last: number): readonly string[] {
  return [`default via 10.${net}.0.${last}`, `::/0 via fd00:${net}::${last}`];
}

function via(target: number, net: number, last: number): readonly string[] {
  return [`10.${target}.0.0/24 via 10.${net}.0.${last}`, `fd00:${target}::/64 via fd00:${net}::${last}`];
}

const vipAddresses = [`${vip}/32`, `${vip6}/128`];

function directorVip(options: TopologyOptions): readonly string[] {
  return options.hasVip === false ? [] : vipAddresses;
}

function drServers(count: number, routes: readonly string[]): Record<string, HostSpec> {
  const servers = serverNames(count).map((name, index): [string, HostSpec] => [
    name,
    {
      devices: { eth0: { addresses: both(1, 21 + index) } },
      loopback: vipAddresses,
      routes,
      sysctls: silentVip,
    },
  ]);
  return Object.fromEntries(servers);
}

function natServers(count: number, net: number): Record<string, HostSpec> {
  const servers = serverNames(count).map((name, index): [string, HostSpec] => [
    name,
    { devices: { eth0: { addresses: both(net, 21 + index) } }, routes: defaultVia(net, 1) },
  ]);
  return Object.fromEntries(servers);
}

const eth0Of = (names: readonly string[]): readonly Port[] => names.map((name): Port => `${name}:eth0`);

/**
 * DR: everyone on one segment; replies go from the server to the client directly.
 *
 *     client ──┬── switch ──┬── server-a (VIP on lo)
 *              director     └── server-b (VIP on lo)
 *              (VIP)
 */
export function dr(options: TopologyOptions = {}): Topology {
  const count = options.servers ?? 2;
  return {
    name: 'dr',
    hosts: {
      client: { devices: { eth0: { addresses: both(1, 10) } } },
      director: { devices: { eth0: { addresses: [...both(1, 2), ...directorVip(options)] } } },
      ...drServers(count, []),
    },
    segments: { switch: eth0Of(['client', 'director', ...serverNames(count)]) },
  };
}

/**
 * NAT: the director stands between clients and servers and is the servers' default route.
 *
 *     client ──── director (VIP) ──── switch ──┬── server-a
 *        10.1.0.0/24           10.2.0.0/24     └── server-b
 */
export function nat(options: TopologyOptions = {}): Topology {
  const count = options.servers ?? 2;
  return {
    name: 'nat',
    hosts: {
      client: { devices: { eth0: { addresses: both(1, 10) } }, routes: via(2, 1, 2) },
      director: {
        devices: {
          eth0: { addresses: [...both(1, 2), ...directorVip(options)] },
          eth1: { addresses: both(2, 1) },
        },
        sysctls: router,
      },
      ...natServers(count, 2),
    },
    links: [['client:eth0', 'director:eth0']],
    segments: { switch: ['director:eth1', ...eth0Of(serverNames(count))] },
  };
}

/**
 * Two directors; the virtual IP is on none of them, VRRP gives it to one. DR: everyone on one segment. NAT: servers in
 * a network of their own, whose default route 10.2.0.1 (fd00:2::1) is a virtual IP too.
 *
 *     DR   client ─────┬── switch ──┬── server-a (VIP on lo)
 *          director-a ─┤            └── server-b (VIP on lo)
 *          director-b ─┘
 *
 *     NAT  client ── switch ──┬── director-a ──┬── back ──┬── server-a
 *          10.1.0.0/24        └── director-b ──┘          └── server-b   10.2.0.0/24
 */
export function twoDirectors(method: 'DR' | 'NAT', options: TopologyOptions = {}): Topology {
  const count = options.servers ?? 2;
  const directors = { 'director-a': 2, 'director-b': 3 };
  if (method === 'DR') {
    return {
      name: 'two-directors-dr',
      hosts: {
        client: { devices: { eth0: { addresses: both(1, 10) } } },
        ...mapValues(directors, (last) => ({ devices: { eth0: { addresses: both(1, last) } } })),
        ...drServers(count, []),
      },
      segments: { switch: eth0Of(['client', ...Object.keys(directors), ...serverNames(count)]) },
    };
  }
  return {
    name: 'two-directors-nat',
    hosts: {
      client: { devices: { eth0: { addresses: both(1, 10) } } },
      ...mapValues(directors, (last) => ({
        devices: { eth0: { addresses: both(1, last) }, eth1: { addresses: both(2, last) } },
        sysctls: router,
      })),
      ...natServers(count, 2),
    },
    segments: {
      switch: eth0Of(['client', ...Object.keys(directors)]),
      back: ['director-a:eth1', 'director-b:eth1', ...eth0Of(serverNames(count))],
    },
  };
}

function mapValues<From, To>(
  from: Readonly<Record<string, From>>,
  to: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)]));
}

export type PathOptions = TopologyOptions & {
  /** MTU of the cable west1–west2, between client and director. */
  readonly westMtu?: number;
  /** MTU of the cable director–east1: the director's own device is the narrow one. */
  readonly directorMtu?: number;
  /** MTU of the cable east1–east2, behind the director. */
  readonly eastMtu?: number;
};

/**
 * DR behind routers: what the servers send passes west2, not the director; its ICMP errors go to the virtual IP.
 *
 *     client ── west1 ── west2 ──┬── switch ──┬── server-a (VIP on lo)
 *      10.3.0.0   10.4.0.0       director     └── server-b (VIP on lo)
 *                                (VIP)  10.1.0.0
 */
export function drRouted(options: PathOptions = {}): Topology {
  const count = options.servers ?? 2;
  const mtu = options.westMtu ?? 1500;
  return {
    name: 'dr-routed',
    hosts: {
      client: { devices: { eth0: { addresses: both(3, 10) } }, routes: defaultVia(3, 1) },
      west1: {
        devices: { eth0: { addresses: both(3, 1) }, eth1: { addresses: both(4, 1), mtu } },
        routes: via(1, 4, 2),
        sysctls: router,
      },
      west2: {
        devices: { eth0: { addresses: both(4, 2), mtu }, eth1: { addresses: both(1, 1) } },
        routes: via(3, 4, 1),
        sysctls: router,
      },
      director: {
        devices: { eth0: { addresses: [...both(1, 2), ...directorVip(options)] } },
        routes: defaultVia(1, 1),
      },
      ...drServers(count, defaultVia(1, 1)),
    },
    links: [
      ['client:eth0', 'west1:eth0'],
      ['west1:eth1', 'west2:eth0'],
    ],
    segments: { switch: ['west2:eth1', ...eth0Of(['director', ...serverNames(count)])] },
  };
}

/**
 * NAT with routers on both sides.
 *
 *     client ── west1 ── west2 ── director (VIP) ── east1 ── east2 ── switch ──┬── server-a
 *      10.3.0.0  10.4.0.0  10.1.0.0         10.2.0.0  10.5.0.0   10.6.0.0      └── server-b
 */
export function natRouted(options: PathOptions = {}): Topology {
  const count = options.servers ?? 2;
  const west = options.westMtu ?? 1500;
  const own = options.directorMtu ?? 1500;
  const east = options.eastMtu ?? 1500;
  return {
    name: 'nat-routed',
    hosts: {
      client: { devices: { eth0: { addresses: both(3, 10) } }, routes: defaultVia(3, 1) },
      west1: {
        devices: { eth0: { addresses: both(3, 1) }, eth1: { addresses: both(4, 1), mtu: west } },
        routes: defaultVia(4, 2),
        sysctls: router,
      },
      west2: {
        devices: { eth0: { addresses: both(4, 2), mtu: west }, eth1: { addresses: both(1, 1) } },
        routes: [...via(3, 4, 1), ...defaultVia(1, 2)],
        sysctls: router,
      },
      director: {
        devices: {
          eth0: { addresses: [...both(1, 2), ...directorVip(options)] },
          eth1: { addresses: both(2, 1), mtu: own },
        },
        routes: [...defaultVia(1, 1), ...via(5, 2, 2), ...via(6, 2, 2)],
        sysctls: router,
      },
      east1: {
        devices: { eth0: { addresses: both(2, 2), mtu: own }, eth1: { addresses: both(5, 1), mtu: east } },
        routes: [...via(6, 5, 2), ...defaultVia(2, 1)],
        sysctls: router,
      },
      east2: {
        devices: { eth0: { addresses: both(5, 2), mtu: east }, eth1: { addresses: both(6, 1) } },
        routes: defaultVia(5, 1),
        sysctls: router,
      },
      ...natServers(count, 6),
    },
    links: [
      ['client:eth0', 'west1:eth0'],
      ['west1:eth1', 'west2:eth0'],
      ['west2:eth1', 'director:eth0'],
      ['director:eth1', 'east1:eth0'],
      ['east1:eth1', 'east2:eth0'],
    ],
    segments: { switch: ['east2:eth1', ...eth0Of(serverNames(count))] },
  };
}
