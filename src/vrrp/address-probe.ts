// The question who holds an address, asked so that nobody learns anything from it: an ARP probe (RFC 5227 2.1.1) or a
// neighbour solicitation from the unspecified address (RFC 4862 5.4.2). readHolder() of frames.ts reads the answers.

import { familyOf, type IpAddress } from '../model/address.js';
import { arpRequest, neighbourFrame, solicitedNode, unspecified4, unspecified6 } from './frames.js';

/** The frame by which `mac` asks. */
export function addressProbe(address: IpAddress, mac: string): Uint8Array {
  if (familyOf(address) === 4) return arpRequest(mac, unspecified4, address);
  return neighbourFrame(mac, {
    kind: 'solicitation',
    source: unspecified6,
    destination: solicitedNode(address),
    target: address,
    flags: 0,
    option: undefined,
  });
}
