// `doctor` on machines made of tables: each thing that can be wrong, one by one, on a machine that is otherwise well.

import { expect, test } from 'vitest';
import { examine } from '../../../src/cli/doctor-checks.js';
import type { Situation } from '../../../src/cli/finding.js';
import type { Machine } from '../../../src/cli/machine.js';
import { parseConfig } from '../../../src/config/index.js';
import type { Inspection } from '../../../src/runtime/scripts/script-inspection.js';

type Facts = {
  readonly files?: Readonly<Record<string, string>>;
  readonly lists?: Readonly<Record<string, readonly string[]>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly programs?: Readonly<Record<string, string>>;
  readonly addresses?: readonly string[];
  readonly scripts?: Readonly<Record<string, Inspection>>;
};

const healthy: Required<Pick<Facts, 'files' | 'lists' | 'links'>> = {
  files: {
    '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
    '/proc/self/limits': 'Max locked memory         unlimited            unlimited            bytes',
    '/proc/sys/kernel/osrelease': '6.8.0-1-amd64',
    '/proc/sys/net/core/bpf_jit_enable': '1',
    '/proc/sys/net/ipv4/ip_forward': '1',
    '/proc/sys/net/ipv4/conf/all/rp_filter': '0',
    '/proc/sys/net/ipv4/conf/eth0/rp_filter': '2',
    '/proc/sys/net/ipv4/conf/all/send_redirects': '0',
    '/proc/sys/net/ipv4/conf/eth0/send_redirects': '0',
    '/proc/1/comm': 'systemd',
  },
  lists: {
    '/sys/class/net': ['lo', 'eth0'],
    '/proc': ['1', 'self', 'net'],
    '/sys/kernel/btf': ['vmlinux'],
  },
  links: { '/proc/self/ns/net': 'net:[1]', '/proc/1/ns/net': 'net:[1]' },
};

function machine(facts: Facts): Machine {
  const files: Record<string, string | undefined> = { ...healthy.files, ...facts.files };
  const lists: Record<string, readonly string[] | undefined> = { ...healthy.lists, ...facts.lists };
  const links: Record<string, string | undefined> = { ...healthy.links, ...facts.links };
  return {
    read: (path) => files[path],
    list: (path) => lists[path] ?? [],
    link: (path) => links[path],
    run: (program, ...args) => facts.programs?.[[program, ...args].join(' ')],
    addresses: () => new Set(facts.addresses),
    inspect: ({ words: [program = ''] }) => facts.scripts?.[program] ?? { runsAs: 'root' },
  };
}

const service = (method: string) => `
virtual_server 10.0.0.1 80 {
  lvs_method ${method}
  protocol TCP
  real_server 10.1.0.1 80 {
    weight 1
  }
}`;

function configOf(text: string) {
  const { config } = parseConfig({ file: 'test', text });
  if (config === undefined) throw new Error('not a configuration');
  return config;
}

const nat = configOf(service('NAT'));
const dr = configOf(service('DR'));
const instance = (name: string, id: number, more: string) => `
vrrp_instance ${name} {
  interface ens33
  virtual_router_id ${id}
  virtual_ipaddress {
    10.0.0.10${id}
  }
  ${more}
}`;
const failover = {
  config: configOf(`
vrrp_script check {
  script "/srv/check"
}
static_ipaddress {
  10.0.0.9 dev eth7
}
${instance('VI_1', 1, 'use_vmac\n track_script {\n check\n }\n notify /srv/notify')}
${instance('VI_2', 2, '')}
${instance('VI_3', 3, '')}
vrrp_sync_group G {
  group {
    VI_1
    VI_2
  }
}`),
  isDirectorRunning: false,
};
const quiet = { config: undefined, isDirectorRunning: false };

test.each([quiet, { config: nat, isDirectorRunning: true }, { config: dr, isDirectorRunning: true }])(
  'a machine that is well: nothing but ok',
  (situation) => {
    const findings = examine(machine({}), situation);
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(new Set(findings.map(({ name }) => name)).size).toBe(findings.length);
  },
);

type Case = {
  readonly name: string;
  readonly facts: Facts;
  readonly situation?: Situation;
  readonly finding: Readonly<Record<string, unknown>>;
};

const cases: readonly Case[] = [
  {
    name: 'no capabilities',
    facts: { files: { '/proc/self/status': 'CapEff:\t0000000000003000\n' } },
    finding: { name: 'capabilities', level: 'error', fact: 'CAP_BPF is missing' },
  },
  {
    name: 'CAP_SYS_ADMIN includes CAP_BPF',
    facts: { files: { '/proc/self/status': 'CapEff:\t0000000000203000\n' } },
    finding: { name: 'capabilities', level: 'ok' },
  },
  {
    name: 'a kernel that is too old',
    facts: { files: { '/proc/sys/kernel/osrelease': '5.15.0-91' } },
    finding: { name: 'kernel', level: 'error' },
  },
  {
    name: 'a kernel without type information',
    facts: { lists: { '/sys/kernel/btf': [] } },
    finding: { name: 'kernel', level: 'error' },
  },
  {
    name: 'a kernel without tcx',
    facts: { files: { '/proc/sys/kernel/osrelease': '6.1.0-28-amd64' } },
    finding: { name: 'kernel', level: 'warning' },
  },
  {
    name: 'tagged frames, and no VLAN device',
    facts: {},
    situation: { ...quiet, taggedFrames: 7n },
    finding: { name: 'vlan', level: 'warning' },
  },
  {
    name: 'tagged frames for a VLAN device',
    facts: {
      files: { '/proc/net/vlan/eth0.100': 'eth0.100  VID: 100' },
      lists: { '/sys/class/net': ['lo', 'eth0', 'eth0.100'] },
    },
    situation: { ...quiet, taggedFrames: 7n },
    finding: { name: 'vlan', level: 'ok' },
  },
  {
    name: 'what is ours was changed and put back',
    facts: {},
    situation: { ...quiet, custody: { putBack: 2, deviations: [] } },
    finding: { name: 'custody', level: 'warning', fact: expect.stringContaining('2 times') },
  },
  {
    name: 'what is ours was changed and stays so',
    facts: {},
    situation: { ...quiet, custody: { putBack: 10, deviations: ['uvs0 is down: why'] } },
    finding: { name: 'custody', level: 'error', fact: 'uvs0 is down: why' },
  },
  {
    name: 'BPF interpreted',
    facts: { files: { '/proc/sys/net/core/bpf_jit_enable': '0' } },
    finding: { name: 'bpf-jit', level: 'warning', remedy: 'sysctl -w net.core.bpf_jit_enable=1' },
  },
  {
    name: 'IPVS loaded and empty',
    facts: {
      files: { '/proc/net/ip_vs': 'IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port' },
    },
    finding: { name: 'ip_vs', level: 'ok', fact: "the kernel's IPVS is loaded and has no services" },
  },
  {
    name: 'IPVS with services',
    facts: {
      files: { '/proc/net/ip_vs': 'IP Virtual Server\nTCP  0A000001:0050 rr\n  -> 0A010001:0050 Masq 1 0 0' },
    },
    finding: { name: 'ip_vs', level: 'error', fact: expect.stringContaining('has 1 service here') },
  },
  {
    name: 'keepalived here',
    facts: {
      lists: { '/proc': ['1', '77'] },
      files: { '/proc/77/comm': 'keepalived' },
      links: { '/proc/77/ns/net': 'net:[1]' },
    },
    finding: { name: 'keepalived', level: 'warning', fact: expect.stringContaining('pid 77') },
  },
  {
    name: 'keepalived in another namespace',
    facts: {
      lists: { '/proc': ['1', '77'] },
      files: { '/proc/77/comm': 'keepalived' },
      links: { '/proc/77/ns/net': 'net:[2]' },
    },
    finding: { name: 'keepalived', level: 'ok' },
  },
  {
    name: 'leftovers of a dead director',
    facts: { lists: { '/sys/class/net': ['lo', 'eth0', 'uvs0', 'uvs1'] } },
    finding: { name: 'leftovers', level: 'warning', fact: expect.stringContaining('uvs0, uvs1') },
  },
  {
    name: 'the devices of a living one',
    facts: { lists: { '/sys/class/net': ['lo', 'eth0', 'uvs0', 'uvs1'] } },
    situation: { config: undefined, isDirectorRunning: true },
    finding: { name: 'leftovers', level: 'ok' },
  },
  {
    name: 'a strict reverse path',
    facts: { files: { '/proc/sys/net/ipv4/conf/eth0/rp_filter': '1' } },
    finding: { name: 'rp_filter', level: 'warning', fact: expect.stringContaining('eth0') },
  },
  {
    name: 'a device that takes our own addresses for sources',
    facts: { files: { '/proc/sys/net/ipv4/conf/eth0/accept_local': '1' } },
    finding: { name: 'accept_local', level: 'warning', fact: expect.stringContaining('eth0') },
  },
  {
    name: 'NAT without forwarding',
    facts: { files: { '/proc/sys/net/ipv4/ip_forward': '0' } },
    situation: { config: nat, isDirectorRunning: false },
    finding: { name: 'ip_forward', level: 'warning' },
  },
  {
    name: 'NAT with redirects',
    facts: { files: { '/proc/sys/net/ipv4/conf/all/send_redirects': '1' } },
    situation: { config: nat, isDirectorRunning: false },
    finding: { name: 'send_redirects', level: 'warning' },
  },
  {
    name: 'DR, and this machine is a real server that answers ARP',
    facts: { addresses: ['10.1.0.1'] },
    situation: { config: dr, isDirectorRunning: false },
    finding: {
      name: 'dr-local',
      level: 'warning',
      fact: expect.stringContaining('arp_ignore=0, arp_announce=0'),
    },
  },
  {
    name: 'LRO',
    facts: { programs: { 'ethtool -k eth0': 'Features for eth0:\nlarge-receive-offload: on\n' } },
    finding: { name: 'offloads', level: 'warning', remedy: 'ethtool -K eth0 lro off' },
  },
  {
    name: 'an interface that is not here, with the nearest that is',
    facts: { lists: { '/sys/class/net': ['lo', 'ens34', 'wlan0'] } },
    situation: failover,
    finding: {
      name: 'devices',
      level: 'error',
      fact: 'there is no interface ens33, which vrrp_instance VI_1 names',
      remedy: 'did you mean ens34?',
    },
  },
  {
    name: 'an interface that is not here, and nothing like it',
    facts: { lists: { '/sys/class/net': ['lo', 'eth0', 'eth1', 'uvs0', 'uvs1'] } },
    situation: failover,
    finding: { name: 'devices', remedy: 'name one of those that are here: eth0, eth1' },
  },
  {
    name: 'an interface that is not here, and one that can be meant alone',
    facts: {},
    situation: failover,
    finding: { name: 'devices', remedy: 'did you mean eth0?' },
  },
  {
    name: 'the interface of a static address',
    facts: {},
    situation: failover,
    finding: { fact: 'there is no interface eth7, which the static address 10.0.0.9 names' },
  },
  {
    name: 'interfaces that are here; those of virtual MACs come with the director',
    facts: { lists: { '/sys/class/net': ['lo', 'ens33', 'eth7'] } },
    situation: failover,
    finding: { name: 'devices', level: 'ok', fact: "the configuration's devices are here: ens33, eth7" },
  },
  {
    name: 'who runs the scripts',
    facts: {},
    situation: failover,
    finding: { name: 'scripts', level: 'ok', fact: 'run as root: script check, notify of VI_1' },
  },
  {
    name: 'a script that nobody runs, and what that keeps from being master',
    facts: { scripts: { '/srv/check': { why: 'has nobody to run as', remedy: 'script_user' } } },
    situation: failover,
    finding: {
      name: 'scripts',
      level: 'warning',
      fact: 'script check has nobody to run as; never master while that is so: VI_1, VI_2',
      remedy: 'script_user',
    },
  },
  {
    name: 'one account that is not here, and all the scripts that would run as it: said once',
    facts: {
      scripts: {
        '/srv/check': { why: 'would run as ghost', remedy: 'create the account' },
        '/srv/notify': { why: 'would run as ghost', remedy: 'create the account' },
      },
    },
    situation: failover,
    finding: {
      name: 'scripts',
      level: 'warning',
      fact:
        'script check would run as ghost (and so it is with notify of VI_1); ' +
        'never master while that is so: VI_1, VI_2',
      remedy: 'create the account',
    },
  },
  { name: 'always: own traffic', facts: {}, finding: { name: 'own-traffic', level: 'ok' } },
];

test.each(cases)('$name', ({ facts, situation = quiet, finding }) => {
  expect(examine(machine(facts), situation)).toContainEqual(expect.objectContaining(finding));
});

test('a real server behind a device that is neither Ethernet nor IP to one far end', () => {
  const config = configOf(service('NAT'));
  const at = (device: string, type: string, flags: string) =>
    machine({
      files: { [`/sys/class/net/${device}/type`]: type, [`/sys/class/net/${device}/flags`]: flags },
      programs: { 'ip -o route get 10.1.0.1': `10.1.0.1 dev ${device} src 10.1.0.2 uid 0 \\    cache` },
    });
  const found = (answers: Machine) =>
    examine(answers, { config, isDirectorRunning: false }).find(({ name }) => name === 'devices');
  expect(found(at('eth0', '1', '0x1003'))?.level).toBe('ok');
  expect(found(at('wg0', '65534', '0x90'))?.level).toBe('ok');
  expect(found(at('gre1', '778', '0xc1'))?.level).toBe('error');
  const refused = found(at('ib0', '32', '0x1003'));
  expect(refused?.level).toBe('error');
  expect(refused?.fact).toContain('10.1.0.1');
  expect(refused?.fact).toContain('ib0');
});
