// keepalived.stats: counters of each virtual router, in keepalived's words and order. What it does not count stands at
// the end, under a heading of its own.

import type { Rejection } from '../../vrrp/receive.js';
import type { FailoverReading, RouterReading } from '../failover/reading.js';

/** Rungs of the receive ladder that keepalived has no line for. */
const furtherErrors: readonly (readonly [string, Rejection])[] = [
  ['Version', 'version'],
  ['Virtual Router ID', 'virtual-router-id'],
  ['Own Advertisement', 'own-advert'],
  ['Checksum', 'checksum'],
  ['Unicast/Multicast', 'delivery'],
  ['Unknown Peer', 'unknown-peer'],
];

export function statsText({ routers }: Pick<FailoverReading, 'routers'>): string {
  return routers.map(routerText).join('');
}

function routerText({ config, counters }: RouterReading): string {
  const { rejected } = counters;
  const lines = [
    `VRRP Instance: ${config.router.name}`,
    '  Advertisements:',
    `    Received: ${counters.received}`,
    `    Sent: ${counters.sent}`,
    `  Became master: ${counters.becameMaster}`,
    `  Released master: ${counters.releasedMaster}`,
    '  Packet Errors:',
    `    Length: ${rejected.length}`,
    `    TTL: ${rejected.ttl}`,
    `    Invalid Type: ${rejected.type}`,
    `    Advertisement Interval: ${rejected.interval}`,
    `    Address List: ${rejected.addresses}`,
    '  Authentication Errors:',
    // keepalived tells an unknown type from another known one; both are one rung here.
    '    Invalid Type: 0',
    `    Type Mismatch: ${rejected['authentication-type']}`,
    `    Failure: ${rejected.authentication}`,
    '  Priority Zero:',
    `    Received: ${counters.priorityZeroReceived}`,
    `    Sent: ${counters.priorityZeroSent}`,
    '  Further Packet Errors:',
    ...furtherErrors.map(([name, reason]) => `    ${name}: ${rejected[reason]}`),
  ];
  return `${lines.join('\n')}\n`;
}
