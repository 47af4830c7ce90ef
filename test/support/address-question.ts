// Frames that ask who holds an address, an ARP request or a neighbour solicitation, as any host sends them; and an answer.

import { familyOf, type IpAddress, ipBytes } from '../../src/model/address.js';
import { internetChecksum } from '../../src/vrrp/checksum.js';

/** `mac` and `asker` ask for `target`. */
export function addressQuestion(mac: string, asker: IpAddress, target: IpAddress): Uint8Array {
  const own = Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
  return familyOf(target) === 4 ? arpRequest(own, asker, target) : solicitation(own, asker, target);
}

/** An ARP reply of 198.18.0.77 whose sender's MAC ends in `number`. */
export function addressAnswer(number: number): Uint8Array {
  const mac = [2, 0, 0, 0, number >> 8, number & 255];
  const everybody = new Array(6).fill(255);
  const head = [8, 6, 0, 1, 8, 0, 6, 4, 0, 2];
  const [from, to] = [
    [198, 18, 0, 77],
    [198, 18, 0, 2],
  ] as const;
  return Uint8Array.from([...everybody, ...mac, ...head, ...mac, ...from, ...everybody, ...to]);
}

function arpRequest(mac: Uint8Array, asker: IpAddress, target: IpAddress): Uint8Array {
  const broadcast = new Uint8Array(6).fill(255);
  const head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1];
  return Uint8Array.from([
    ...broadcast,
    ...mac,
    ...head,
    ...mac,
    ...ipBytes(asker),
    ...new Uint8Array(6),
    ...ipBytes(target),
  ]);
}

function solicitation(mac: Uint8Array, asker: IpAddress, target: IpAddress): Uint8Array {
  const last = [...ipBytes(target)].slice(13);
  const group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...last];
  const message = Uint8Array.from([135, 0, 0, 0, 0, 0, 0, 0, ...ipBytes(target), 1, 1, ...mac]);
  const ends = Uint8Array.from([...ipBytes(asker), ...group]);
  const sum = internetChecksum(ends, Uint8Array.from([0, 0, 0, message.length, 0, 0, 0, 58]), message);
  message.set([sum >> 8, sum & 255], 2);
  const header = [0x60, 0, 0, 0, 0, message.length, 58, 255, ...ends];
  return Uint8Array.from([0x33, 0x33, 0xff, ...last, ...mac, 0x86, 0xdd, ...header, ...message]);
}
