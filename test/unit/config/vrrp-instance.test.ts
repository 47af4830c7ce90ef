// vrrp_instance { }: what each keyword makes of the virtual router, its defaults, and what is said of contradictions.
import { expect, test } from 'vitest';
import type { VirtualRouter } from '../../../src/model/virtual-router.js';
import { configOf, parseText, said } from '../../support/parse-config.js';

const instance = (lines: string, name = 'a') =>
  `vrrp_instance ${name} {\nvirtual_router_id 51\n${lines}\n}\n`;

function routerOf(lines: string, globals = ''): VirtualRouter {
  const [first] = configOf(`global_defs {\n${globals}\n}\n${instance(lines)}`).failover.routers;
  if (first === undefined) throw new Error('no router');
  return first.router;
}

test('an ordinary instance', () => {
  const text = `vrrp_instance web {
    state MASTER
    interface ens33
    virtual_router_id 71
    priority 150
    advert_int 2
    authentication {
        auth_type PASS
        auth_pass abcd
    }
    virtual_ipaddress {
        198.18.8.172
        198.18.8.173/24 dev eth1 label eth1:1
    }
}`;
  const { routers } = configOf(text).failover;
  expect(parseText(text).diagnostics).toEqual([]);
  expect(routers).toMatchObject([
    {
      origin: { line: 1, column: 1 },
      router: {
        name: 'web',
        device: 'ens33',
        family: 4,
        version: 2,
        virtualRouterId: 71,
        startState: 'master',
        priority: 150,
        advertInterval: 2_000_000,
        authentication: { kind: 'simple', password: 'abcd' },
        delivery: { kind: 'multicast', group: '224.0.0.18' },
        addresses: [
          { address: '198.18.8.172', length: 32, device: undefined },
          { address: '198.18.8.173', length: 24, device: 'eth1', label: 'eth1:1' },
        ],
        tracks: [
          { kind: 'interface', name: 'ens33', weight: 0 },
          { kind: 'interface', name: 'eth1', weight: 0 },
        ],
        advertLease: 4_000_000,
        releaseBudget: 5_000_000,
      },
    },
  ]);
});

test('unicast peers', () => {
  expect(
    routerOf(
      'unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.2\n10.0.0.3 min_ttl 254 max_ttl 255\n}\ncheck_unicast_src',
    ),
  ).toMatchObject({
    source: '10.0.0.1',
    delivery: {
      kind: 'unicast',
      checksSource: true,
      ttl: 255,
      peers: [
        { address: '10.0.0.2', minTtl: 0, maxTtl: 255 },
        { address: '10.0.0.3', minTtl: 254, maxTtl: 255 },
      ],
    },
  });
});

test('a VRID is needed', () => {
  expect(said(parseText('vrrp_instance a {\n}'))).toEqual(['1:1 error missing-setting']);
});
