// The question who holds an address, asked so that nobody learns from it who has that: an ARP probe (RFC 5227 2.1.1) or a
// neighbour solicitation. readHolder() of frames.ts reads the answers.

import { familyOf, type IpAddress } from '../model/address.js';
import { arpRequest, neighbourFrame, solicitedNode, unspecified4, unspecified6 } from './frames.js';

/**
 * The frame by which `mac` asks. `linkLocal`: an address of the asker alone, for IPv6. Without it the source is unspecified
 * (RFC 4862 5.4.2), and the answer goes to all nodes (RFC 4861 7.2.4): their caches turn to who answers.
 */
export function addressProbe(address: IpAddress, mac: string, linkLocal?: IpAddress): Uint8Array {
  if (familyOf(address) === 4) return arpRequest(mac, unspecified4, address);
  return neighbourFrame(mac, {
    kind: 'solicitation',
    source: linkLocal ?? unspecified6,
    destination: solicitedNode(address),
    target: address,
    flags: 0,
    option: linkLocal === undefined ? undefined : { type: 1, mac },
  });
}
