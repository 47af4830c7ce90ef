// The checks of `doctor`, one function each: what was seen on the machine, whether that is well, and what to do.

import type { DirectorConfig, VirtualServer } from '../model/director-config.js';
import type { ForwardingMethod } from '../model/forwarding-table.js';
import { configChecks } from './config-checks.js';
import { type Check, error, type Finding, ok, type Situation, warning } from './finding.js';
import type { Machine } from './machine.js';

/** All findings, in the order in which one would mend them. */
export function examine(machine: Machine, situation: Situation): readonly Finding[] {
  return checks.flatMap((check) => check(machine, situation));
}

const checks: readonly Check[] = [
  checkCapabilities,
  checkKernel,
  checkJit,
  checkMemlock,
  checkIpvs,
  checkKeepalived,
  checkLeftovers,
  checkCustody,
  checkReversePath,
  checkOwnSources,
  checkForwarding,
  checkRedirects,
  checkDirectRouting,
  ...configChecks,
  checkOffloads,
  checkVlans,
  checkWays,
  checkOwnTraffic,
  checkCapture,
];

/** Numbers of linux/capability.h. CAP_SYS_ADMIN includes CAP_BPF. */
const sysAdmin = 21;
const neededCapabilities = [
  { name: 'CAP_NET_ADMIN', bit: 12, isHad: hasBit(12) },
  { name: 'CAP_NET_RAW', bit: 13, isHad: hasBit(13) },
  { name: 'CAP_BPF', bit: 39, isHad: (set: bigint) => hasBit(39)(set) || hasBit(sysAdmin)(set) },
] as const;

function checkCapabilities(machine: Machine): Finding[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(machine.read('/proc/self/status') ?? '')?.[1] ?? '0';
  const set = BigInt(`0x${effective}`);
  const missing = neededCapabilities.filter(({ isHad }) => !isHad(set)).map(({ name }) => name);
  if (missing.length === 0) {
    return [ok('capabilities', 'CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF are there')];
  }
  return [
    error(
      'capabilities',
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`,
      'run as root, or grant them: AmbientCapabilities= in the unit, --cap-add in a container',
    ),
  ];
}

/** That of Debian 12: `npm run kernels` boots it. */
const oldestKernel = [6, 1] as const;

function checkKernel(machine: Machine): Finding[] {
  const release = machine.read('/proc/sys/kernel/osrelease') ?? '';
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const isAtLeast = (wantedMajor: number, wantedMinor: number) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  if (!isAtLeast(...oldestKernel)) {
    const oldest = oldestKernel.join('.');
    return [
      error('kernel', `Linux ${release}: older than any that is tested`, `use Linux ${oldest} or later`),
    ];
  }
  if (!machine.list('/sys/kernel/btf').includes('vmlinux')) {
    const fact = `Linux ${release} was built without type information (CONFIG_DEBUG_INFO_BTF): it takes no program of ours`;
    return [
      error('kernel', fact, 'boot a kernel that has /sys/kernel/btf/vmlinux, as those of distributions do'),
    ];
  }
  if (!isAtLeast(6, 6)) {
    const fact = `Linux ${release} has no tcx: our programs are attached by clsact, and stay when the director is killed`;
    return [
      warning(
        'kernel',
        fact,
        'they pass everything then, and the next start removes them; Linux 6.6 has tcx',
      ),
    ];
  }
  return [ok('kernel', `Linux ${release}: programs are attached by tcx and leave with the director`)];
}

function checkJit(machine: Machine): Finding[] {
  const jit = machine.read('/proc/sys/net/core/bpf_jit_enable');
  if (jit === undefined) return [];
  if (jit !== '0') return [ok('bpf-jit', 'BPF programs are compiled')];
  return [
    warning(
      'bpf-jit',
      'BPF programs are interpreted: several times slower',
      'sysctl -w net.core.bpf_jit_enable=1',
    ),
  ];
}

function checkMemlock(machine: Machine): Finding[] {
  const limit = /^Max locked memory\s+(\S+)/m.exec(machine.read('/proc/self/limits') ?? '')?.[1];
  if (limit === undefined || limit === 'unlimited') return [ok('memlock', 'locked memory is not limited')];
  // Since Linux 5.11 BPF maps count in the memory control group instead.
  return [
    ok('memlock', `locked memory is limited to ${limit} bytes; BPF maps don't count in it since Linux 5.11`),
  ];
}

function checkIpvs(machine: Machine): Finding[] {
  const table = machine.read('/proc/net/ip_vs');
  if (table === undefined) return [ok('ip_vs', "the kernel's IPVS is not loaded, and not needed")];
  const services = table.split('\n').filter((line) => /^(TCP|UDP|SCTP|FWM) /.test(line)).length;
  if (services === 0) return [ok('ip_vs', "the kernel's IPVS is loaded and has no services")];
  return [
    error(
      'ip_vs',
      `the kernel's IPVS has ${services} service${services === 1 ? '' : 's'} here: two would balance the same packets`,
      'stop what set them up, then: ipvsadm -C',
    ),
  ];
}

function checkKeepalived(machine: Machine): Finding[] {
  const here = machine.link('/proc/self/ns/net');
  const running = machine
    .list('/proc')
    .filter((name) => /^\d+$/.test(name) && machine.read(`/proc/${name}/comm`) === 'keepalived')
    .filter((name) => machine.link(`/proc/${name}/ns/net`) === here);
  if (running.length === 0) return [ok('keepalived', 'no keepalived runs in this network namespace')];
  return [
    warning(
      'keepalived',
      `keepalived runs here too (pid ${running.join(', ')}): both would act on virtual servers and addresses`,
      'systemctl disable --now keepalived, or take its virtual_server blocks out',
    ),
  ];
}

function checkLeftovers(machine: Machine, { isDirectorRunning }: Situation): Finding[] {
  const devices = machine.list('/sys/class/net').filter((name) => /^uvs\d*$/.test(name));
  if (devices.length === 0 || isDirectorRunning)
    return [ok('leftovers', 'no dead director has left anything')];
  return [
    warning(
      'leftovers',
      `no director answers on the socket, and its devices are here: ${devices.join(', ')}`,
      'the next start removes them; a director with another --socket may own them',
    ),
  ];
}

function checkReversePath(machine: Machine): Finding[] {
  const strict = devicesOf(machine).filter((device) => {
    const own = Number(machine.read(`/proc/sys/net/ipv4/conf/${device}/rp_filter`) ?? 0);
    const all = Number(machine.read('/proc/sys/net/ipv4/conf/all/rp_filter') ?? 0);
    return Math.max(own, all) === 1;
  });
  if (strict.length === 0) return [ok('rp_filter', 'no device filters strictly by the reverse path')];
  return [
    warning(
      'rp_filter',
      `strict on ${strict.join(', ')}: what opens a connection, or is passed to this host, is dropped where the way back is another device`,
      `sysctl -w net.ipv4.conf.DEVICE.rp_filter=2, where routes are asymmetric`,
    ),
  ];
}

function checkOwnSources(machine: Machine): Finding[] {
  const conf = '/proc/sys/net/ipv4/conf';
  const all = machine.read(`${conf}/all/accept_local`) === '1';
  const on = devicesOf(machine).filter(
    (device) => all || machine.read(`${conf}/${device}/accept_local`) === '1',
  );
  if (on.length === 0)
    return [ok('accept_local', "off: nothing comes in under this machine's own addresses")];
  return [
    warning(
      'accept_local',
      `on for ${on.join(', ')}: one spoofed datagram can make two UDP services answer each other without end`,
      'sysctl -w net.ipv4.conf.all.accept_local=0 net.ipv4.conf.DEVICE.accept_local=0',
    ),
  ];
}

function checkForwarding(machine: Machine, { config }: Situation): Finding[] {
  if (!usesMethod(config, 'nat')) return [];
  const isOn = machine.read('/proc/sys/net/ipv4/ip_forward') === '1';
  if (isOn) return [ok('ip_forward', "on: NAT servers' own traffic is routed through this machine")];
  return [
    warning(
      'ip_forward',
      "off: balanced connections don't need it, but NAT servers whose default route is here reach nothing else",
      'sysctl -w net.ipv4.ip_forward=1',
    ),
  ];
}

function checkRedirects(machine: Machine, { config }: Situation): Finding[] {
  if (!usesMethod(config, 'nat')) return [];
  const conf = '/proc/sys/net/ipv4/conf';
  const all = machine.read(`${conf}/all/send_redirects`) === '1';
  const on = devicesOf(machine).filter(
    (device) => all || machine.read(`${conf}/${device}/send_redirects`) === '1',
  );
  if (on.length === 0) return [ok('send_redirects', 'off')];
  return [
    warning(
      'send_redirects',
      `on for ${on.join(', ')}: NAT servers beside their clients are told a way around this machine`,
      'sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.DEVICE.send_redirects=0',
    ),
  ];
}

/** A director that is a real server itself: its VIP must stay quiet where another director has it. */
function checkDirectRouting(machine: Machine, { config }: Situation): Finding[] {
  if (!usesMethod(config, 'dr')) return [];
  const advice =
    'on each real server: the VIP on lo with /32, net.ipv4.conf.all.arp_ignore=1, net.ipv4.conf.all.arp_announce=2';
  const findings = [
    ok('dr-servers', 'DR: the real servers must hold the VIP and not answer ARP for it', advice),
  ];
  const local = machine.addresses();
  const own = config?.virtualServers.flatMap(drServers).filter((address) => local.has(address)) ?? [];
  if (own.length === 0) return findings;
  const ignore = machine.read('/proc/sys/net/ipv4/conf/all/arp_ignore') ?? '0';
  const announce = machine.read('/proc/sys/net/ipv4/conf/all/arp_announce') ?? '0';
  if (ignore === '1' && announce === '2') return findings;
  findings.push(
    warning(
      'dr-local',
      `this machine is a real server too (${own.join(', ')}) with arp_ignore=${ignore}, arp_announce=${announce}`,
      'sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2, where another director holds the VIP',
    ),
  );
  return findings;
}

function checkOffloads(machine: Machine): Finding[] {
  const merging = devicesOf(machine).filter((device) =>
    /^large-receive-offload: on/m.test(machine.run('ethtool', '-k', device) ?? ''),
  );
  if (merging.length === 0) return [ok('offloads', 'no device merges packets by LRO')];
  return [
    warning(
      'offloads',
      `LRO is on for ${merging.join(', ')}: merged packets can't be forwarded as they came`,
      merging.map((device) => `ethtool -K ${device} lro off`).join('; '),
    ),
  ];
}

function checkCustody(_: Machine, { custody }: Situation): Finding[] {
  if (custody === undefined) return [];
  const { putBack, deviations } = custody;
  const remedy =
    'find what manages devices and tc programs here (NetworkManager, a CNI, scripts) and leave ours out of it';
  if (deviations.length > 0) return [error('custody', deviations.join('; '), remedy)];
  if (putBack > 0) {
    const fact = `somebody else changed what is ours in the kernel ${putBack} time${putBack === 1 ? '' : 's'}; it was put back`;
    return [warning('custody', fact, remedy)];
  }
  return [ok('custody', 'nobody has changed what is ours in the kernel')];
}

function checkVlans(machine: Machine, { taggedFrames = 0n }: Situation): Finding[] {
  const rule =
    'a frame with a VLAN id is for the VLAN device alone; one with a priority only counts as untagged';
  const hasVlan = devicesOf(machine).some((device) => machine.read(`/proc/net/vlan/${device}`) !== undefined);
  if (taggedFrames === 0n || hasVlan) return [ok('vlan', rule)];
  return [
    warning(
      'vlan',
      `${taggedFrames} frames came with a VLAN id, and there is no VLAN device: ${rule}`,
      "ip link add link DEVICE name DEVICE.ID type vlan id ID, with the VIP's network on it; or untag them at the switch",
    ),
  ];
}

function checkOwnTraffic(): Finding[] {
  return [
    ok(
      'own-traffic',
      'what this machine itself sends to a VIP passes no ingress, and is not balanced',
      'test from another machine or network namespace',
    ),
  ];
}

function checkCapture(): Finding[] {
  return [
    ok(
      'capture',
      'a capture at a device shows what comes in and what leaves; at `any` what is ours appears at uvs0 and uvs1, too',
      "tcpdump -ni any 'host VIP or host SERVER'",
    ),
  ];
}

/** ARPHRD_ types of linux/if_arp.h: Ethernet and loopback; PPP, raw IP, tunnels of IP, SIT, GRE, none. */
const ethernetTypes = new Set([1, 772]);
const ipTypes = new Set([512, 519, 768, 769, 776, 778, 823, 65534]);
const isPointToPoint = 0x10;

/** As the data plane judges a device (addon/host/links.cc). */
function checkWays(machine: Machine, { config }: Situation): Finding[] {
  const servers = new Set(
    config?.virtualServers.flatMap((service) => service.realServers.map((server) => server.address)) ?? [],
  );
  if (servers.size === 0) return [];
  const isServed = (device: string) => {
    const fact = (name: string) => Number(machine.read(`/sys/class/net/${device}/${name}`) ?? Number.NaN);
    const type = fact('type');
    return ethernetTypes.has(type) || (ipTypes.has(type) && (fact('flags') & isPointToPoint) !== 0);
  };
  const ways = [...servers].map((server) => {
    const route = machine.run('ip', '-o', 'route', 'get', server) ?? '';
    return { server, device: / dev (\S+)/.exec(route)?.[1] };
  });
  const unserved = ways.filter(({ device }) => device !== undefined && !isServed(device));
  if (unserved.length === 0)
    return [ok('devices', 'every real server is behind a device that can be served')];
  return unserved.map(({ server, device }) =>
    error(
      'devices',
      `real server ${server} can't be served: the way there is ${device}, which is neither Ethernet nor IP to one far end`,
      'route it by another device, or remove it',
    ),
  );
}

/** Devices with a link layer: no loopback, none of ours. */
function devicesOf(machine: Machine): readonly string[] {
  return machine.list('/sys/class/net').filter((name) => name !== 'lo' && !/^uvs\d*$/.test(name));
}

function usesMethod(config: DirectorConfig | undefined, method: ForwardingMethod): boolean {
  return (
    config?.virtualServers.some((service) =>
      service.realServers.some((server) => server.method === method),
    ) ?? false
  );
}

function drServers(service: VirtualServer): string[] {
  return service.realServers.filter((server) => server.method === 'dr').map((server) => server.address);
}

function hasBit(bit: number): (set: bigint) => boolean {
  return (set) => ((set >> BigInt(bit)) & 1n) === 1n;
}
