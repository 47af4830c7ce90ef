// What every lab test with a director needs of the machine, for `requires(...labNeeds)`.
// One list for all of them: a machine either can run the lab or cannot.

import type { Need } from '../require.js';

export const labNeeds: readonly Need[] = [
  'root',
  'bpf',
  'addon',
  ...(['nginx', 'curl', 'iperf3', 'socat', 'tcpdump', 'nft', 'bpftool', 'ping'] as const).map(
    (name): Need => `pkg:${name}`,
  ),
];

/** The same for tests of failover, with the peers from Debian's packages and a compiler for the lab's own programs. */
export const failoverNeeds: readonly Need[] = [
  ...labNeeds,
  ...(['keepalived', 'frr', 'vtysh', 'ss', 'cc'] as const).map((name): Need => `pkg:${name}`),
];
