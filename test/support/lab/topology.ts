// A lab network as data: hosts with their addresses, routes and settings, and the links between them.
// Everything stays inside namespaces: a link is a veth pair, a segment is a bridge in a namespace of its own.

export type DeviceSpec = {
  /** With prefix length: `10.1.0.10/24`, `fd00:1::10/64`. */
  readonly addresses?: readonly string[];
  readonly mtu?: number;
};

export type HostSpec = {
  readonly devices?: Readonly<Record<string, DeviceSpec>>;
  /** Addresses on `lo`, for instance the virtual IP of a real server under DR. */
  readonly loopback?: readonly string[];
  /** As `ip route add` takes them: `default via 10.1.0.1`, `::/0 via fd00:1::1`. */
  readonly routes?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string | number>>;
};

/** One end of a cable: `client:eth0`. */
export type Port = `${string}:${string}`;

export type Topology = {
  readonly name: string;
  readonly hosts: Readonly<Record<string, HostSpec>>;
  /** Cables between two hosts. */
  readonly links?: readonly (readonly [Port, Port])[];
  /** Switches: one L2 segment each, named as its namespace. */
  readonly segments?: Readonly<Record<string, readonly Port[]>>;
};

export function splitPort(port: Port): { readonly host: string; readonly device: string } {
  const [host = '', device = ''] = port.split(':');
  return { host, device };
}

// Given in every host so that the lab behaves the same whatever the machine's own defaults are. They are the
// kernel's defaults, but for duplicate address detection, which would delay every IPv6 address by seconds, and for a
// wide range of ports: the kernel goes through it for all namespaces together, and a port that comes again within two
// minutes belongs to a connection that a director still knows.
const baseSysctls: Readonly<Record<string, string | number>> = {
  'net.ipv4.ip_forward': 0,
  'net.ipv4.ip_local_port_range': '1024 65535',
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
  'net.ipv4.conf.all.accept_redirects': 0,
  'net.ipv4.conf.default.accept_redirects': 0,
  'net.ipv6.conf.all.disable_ipv6': 0,
  'net.ipv6.conf.default.disable_ipv6': 0,
  'net.ipv6.conf.all.accept_dad': 0,
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.default.accept_ra': 0,
};

/** Sysctls of a host as `sysctl -w` takes them. */
export function sysctlArguments(host: HostSpec): readonly string[] {
  return Object.entries({ ...baseSysctls, ...host.sysctls }).map(([key, value]) => `${key}=${value}`);
}

/** Lines for `ip -batch` in the root namespace: namespaces exist, cables are laid. */
export function linkCommands(topology: Topology, ns: (host: string) => string): readonly string[] {
  const lines: string[] = [];
  for (const [a, b] of topology.links ?? []) {
    const [left, right] = [splitPort(a), splitPort(b)];
    lines.push(vethCommand(ns(left.host), left.device, ns(right.host), right.device));
  }
  for (const [name, ports] of Object.entries(topology.segments ?? {})) {
    for (const [index, port] of ports.entries()) {
      const { host, device } = splitPort(port);
      lines.push(vethCommand(ns(host), device, ns(name), `port${index}`));
    }
  }
  return lines;
}

/** Both ends are created where they belong, so that nothing ever shows up in the root namespace. */
export function vethCommand(leftNs: string, left: string, rightNs: string, right: string): string {
  return `link add name ${left} netns ${leftNs} type veth peer name ${right} netns ${rightNs}`;
}

/** Lines for `ip -n HOST -batch`: addresses, state up, routes. */
export function hostCommands(host: HostSpec): readonly string[] {
  const lines = ['link set lo up'];
  for (const address of host.loopback ?? []) lines.push(addressCommand(address, 'lo'));
  for (const [device, spec] of Object.entries(host.devices ?? {})) {
    if (spec.mtu !== undefined) lines.push(`link set ${device} mtu ${spec.mtu}`);
    lines.push(`link set ${device} up`);
    for (const address of spec.addresses ?? []) lines.push(addressCommand(address, device));
  }
  for (const route of host.routes ?? []) lines.push(`route add ${route}`);
  return lines;
}

/** A /128 on a network device is a virtual IP and, as keepalived adds it, never the source of the host's own packets. */
export function addressCommand(address: string, device: string): string {
  const isVip6 = address.endsWith('/128') && device !== 'lo';
  const options = `${address.includes(':') ? ' nodad' : ''}${isVip6 ? ' preferred_lft 0' : ''}`;
  return `addr add ${address} dev ${device}${options}`;
}

/** Lines for `ip -n SWITCH -batch`. */
export function switchCommands(ports: readonly Port[]): readonly string[] {
  return [
    'link set lo up',
    'link add br0 type bridge stp_state 0 mcast_snooping 0',
    'link set br0 up',
    ...ports.flatMap((_, index) => [`link set port${index} master br0`, `link set port${index} up`]),
  ];
}
