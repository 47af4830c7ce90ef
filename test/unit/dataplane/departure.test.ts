// A server that leaves the configuration, told to the native path through the table's bytes: what a client that goes on
// sending from its port gets, by each rule of expire_nodest_conn.

import { expect, test } from 'vitest';
import type { IpAddress } from '../../../src/model/address.js';
import { everyClient } from '../../../src/model/client-rules.js';
import {
  defaultPolicy,
  type ForwardingTable,
  type NodestRule,
  type Service,
} from '../../../src/model/forwarding-table.js';
import { MemoryDirector } from '../../support/memory-director.js';

const [vip, client] = ['10.9.0.1', '172.16.0.1'] as [IpAddress, IpAddress];
const servers = { a: '10.1.0.1' as IpAddress, b: '10.1.0.2' as IpAddress };
const usual = { method: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, port: 53 } as const;

function table(expireNodestConn: NodestRule, isFirstRemoved: boolean): ForwardingTable {
  const service: Service = {
    id: { kind: 'endpoint', protocol: 'udp', address: vip, port: 53 },
    scheduler: 'rr',
    flags: [],
    onePacket: false,
    persistence: undefined,
    isDraining: false,
    isStandby: false,
    destinations: [
      { address: servers.a, ...usual, ...(isFirstRemoved ? { weight: 0, isRemoved: true } : {}) },
      { address: servers.b, ...usual },
    ],
  };
  const policy = { ...defaultPolicy, udpTimeout_s: 20, expireNodestConn };
  return { services: [service], closedAddresses: [], clients: everyClient, policy };
}

test.each([
  ['move' as const, 'aabbbbb'],
  [0 as const, 'aaaaaab'],
  [1 as const, 'bbbbbbb'],
])('expire_nodest_conn %s: a datagram each 4 s to a removed server goes to %s', async (rule, expected) => {
  const director = new MemoryDirector(servers, [vip]);
  await director.publish(table(rule, false));
  const ask = () => {
    const [output] = director.fromClient({
      protocol: 'udp',
      source: client,
      sourcePort: 5353,
      destination: vip,
      destinationPort: 53,
      flags: '',
    });
    return output === undefined ? '-' : director.serverOf(output.packet);
  };
  expect(ask()).toBe('a');
  await director.publish(table(rule, true));
  let seen = '';
  for (let i = 0; i < 7; i++) {
    seen += ask();
    director.wait(4);
  }
  expect(seen).toBe(expected);
});
