// What tells a link who holds an address now: gratuitous ARP (RFC 5227 3) for IPv4, an unsolicited neighbour
// advertisement (RFC 4861 7.2.6) for IPv6. Bytes only; when they are sent is the state machine's business.

import { familyOf, type IpAddress } from '../model/address.js';
import { allNodes, arpRequest, neighbourFrame } from './frames.js';

const override = 0x20;
const router = 0x80;

/**
 * The frame by which `mac` says that it holds `address`. ARP goes as a broadcast request whose sender and target are
 * the address, as keepalived's does: some switches drop replies that nobody asked for. `isRouter` is IPv6's flag; it
 * must say what the kernel's own answers say, or hosts drop a default router.
 */
export function announcement(address: IpAddress, mac: string, isRouter = false): Uint8Array {
  if (familyOf(address) === 4) return arpRequest(mac, address, address);
  return neighbourFrame(mac, {
    kind: 'advertisement',
    source: address,
    destination: allNodes,
    target: address,
    flags: override | (isRouter ? router : 0),
    option: { type: 2, mac },
  });
}
