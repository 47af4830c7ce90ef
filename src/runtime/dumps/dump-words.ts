// How keepalived writes what its dumps have in common: states, addresses, scripts and times.

import { addressBits, familyOf } from '../../model/address.js';
import type { Micros } from '../../model/units.js';
import type { VirtualAddress, VirtualRouter } from '../../model/virtual-router.js';
import type { VrrpState } from '../../vrrp/state.js';
import { addressDevice } from '../failover/placement.js';

/** `releasing` is a state of ours: such a router still does what a master does. */
export function stateWord(state: VrrpState['kind']): 'INIT' | 'BACKUP' | 'MASTER' | 'FAULT' {
  const words = {
    initialize: 'INIT',
    backup: 'BACKUP',
    master: 'MASTER',
    releasing: 'MASTER',
    fault: 'FAULT',
  } as const;
  return words[state];
}

/** `10.0.0.100/24 dev eth0 scope global label eth0:1 set`; a host's own length is left out. */
export function addressWords(
  { address, length, device, scope, label, broadcast }: VirtualAddress,
  router: VirtualRouter,
  isSet: boolean,
): string {
  const isHost = length === addressBits(familyOf(address));
  const { device: parent, virtualMacDevice } = router;
  const own = device ?? addressDevice(router);
  return [
    `${address}${isHost ? '' : `/${length}`}`,
    ...(broadcast === undefined ? [] : [`brd ${broadcast}`]),
    `dev ${own}${own === virtualMacDevice ? `@${parent}` : ''}`,
    `scope ${scope}`,
    ...(label === undefined ? [] : [`label ${label}`]),
    ...(isSet ? ['set'] : []),
  ].join(' ');
}

/** `'/bin/notify' 'a b'`. */
export function commandWords(words: readonly string[]): string {
  return words.map((one) => `'${one}'`).join(' ');
}

/** `1795653418.431065`. */
export function secondsWords(at: Micros): string {
  return `${Math.floor(at / 1_000_000)}.${String(at % 1_000_000).padStart(6, '0')}`;
}

/** `1795653418.431065 (Thu Nov 26 00:36:58.431065 2026)`, in local time. */
export function momentWords(at: Micros): string {
  const date = new Date(Math.floor(at / 1_000));
  const [day = '', month = '', dayOfMonth = '', year = '', clock = ''] = date.toString().split(' ');
  const fraction = String(at % 1_000_000).padStart(6, '0');
  return `${secondsWords(at)} (${day} ${month} ${dayOfMonth} ${clock}.${fraction} ${year})`;
}
