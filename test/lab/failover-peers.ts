// keepalived and FRR as the foreign peer of a cycle (failover-cycle.ts), on director-b and with a web server there.

import {
  FrrVrrp,
  groupText,
  Keepalived,
  type Pair,
  type RouterSpec,
  routerText,
  startHttp,
} from '../support/lab/index.js';
import type { Cycle, ForeignPeer } from './failover-cycle.js';

const refusals = [
  'packet_len_err',
  'advert_interval_err',
  'ip_ttl_err',
  'invalid_type_rcvd',
  'addr_list_err',
  'invalid_authtype',
  'authtype_mismatch',
  'auth_failure',
];

export function keepalivedPeer(
  pair: Pair,
  routers: Cycle['routers'],
  options: { readonly group?: string } = {},
): Cycle['startPeer'] {
  const served = startHttp(pair.b);
  const names = routers.map((router) => router.name ?? 'VI_1');
  const text = (priority: number) =>
    [
      ...(options.group === undefined ? [] : [groupText(options.group, names)]),
      ...routers.map((router) => routerText({ ...mirrored(router), priority })),
    ].join('\n');
  return async (priority): Promise<ForeignPeer> => {
    await served;
    const peer = await Keepalived.start(pair.b, text(priority));
    return {
      waitForState: async (state, timeout_s) => {
        for (const name of names) await peer.waitForState(name, state, timeout_s);
      },
      setPriority: async (next) => peer.reload(text(next)),
      stop: () => peer.stop(),
      kill: async () => {
        await peer.kill();
        await forgetAddresses(pair, routers);
      },
      refused: async () => {
        let sum = 0;
        for (const name of names) {
          const stats = await peer.stats(name);
          for (const key of refusals) sum += stats[key] ?? 0;
        }
        return sum;
      },
      log: () => peer.log(),
    };
  };
}

/** IPv4 and IPv6 of one VRID, each if a router has an address of that family. */
export function frrPeer(pair: Pair, routers: Cycle['routers']): Cycle['startPeer'] {
  const served = startHttp(pair.b);
  const addresses = routers.flatMap((router) => router.addresses.map((line) => line.split(/[/ ]/)[0] ?? ''));
  const families = (['v4', 'v6'] as const).filter((family) =>
    addresses.some((address) => address.includes(':') === (family === 'v6')),
  );
  return async (priority): Promise<ForeignPeer> => {
    await served;
    const interval_ms = (routers[0]?.interval_s ?? 1) * 1000;
    const peer = await FrrVrrp.start(pair.b, { virtualRouterId: 51, priority, interval_ms, addresses });
    return {
      waitForState: async (state, timeout_s) => {
        const status = state === 'MASTER' ? 'Master' : 'Backup';
        for (const family of families) await peer.waitForState(family, status, timeout_s);
      },
      setPriority: (next) => peer.configure(`priority ${next}`),
      stop: () => peer.stop(),
      kill: () => peer.kill(),
      // It counts none; it says so in its log.
      refused: async () => peer.log().match(/discard|invalid|mismatch|bad checksum/gi)?.length ?? 0,
      log: () => peer.log(),
    };
  };
}

/** The same virtual router from the other side of a unicast pair. */
function mirrored<Spec extends Omit<RouterSpec, 'priority'>>(router: Spec): Spec {
  if (router.unicast === undefined) return router;
  const { source, peers } = router.unicast;
  return { ...router, unicast: { source: peers[0] ?? '', peers: [source] } };
}

/** What a killed keepalived leaves: its addresses, or the device of its virtual MAC. */
async function forgetAddresses(pair: Pair, routers: Cycle['routers']): Promise<void> {
  for (const { addresses, device, virtualRouterId, lines } of routers) {
    if (lines?.includes('use_vmac')) {
      await pair.b.ip(`link del vrrp.${virtualRouterId ?? 51}`);
      continue;
    }
    for (const line of addresses) {
      await pair.b.ip(
        `addr del ${line.split(' ')[0]} dev ${/dev (\S+)/.exec(line)?.[1] ?? device ?? 'eth0'}`,
      );
    }
  }
}
