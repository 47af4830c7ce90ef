// From the state machine's words to keepalived's, which scripts and FIFOs read.

import type { NotifyState as VrrpNotifyState, VrrpState } from '../../vrrp/state.js';
import type { NotifyState } from './notifier.js';

/** undefined: keepalived says nothing then (a new priority of a virtual router that is neither master nor backup). */
export function notifyWord(state: VrrpNotifyState, current: VrrpState['kind']): NotifyState | undefined {
  switch (state) {
    case 'master':
      return 'MASTER';
    case 'backup':
      return 'BACKUP';
    case 'fault':
      return 'FAULT';
    case 'stop':
      return 'STOP';
    case 'master-rx-lower-priority':
      return 'MASTER_RX_LOWER_PRI';
    case 'priority':
      if (current === 'master' || current === 'releasing') return 'MASTER_PRIORITY';
      return current === 'backup' ? 'BACKUP_PRIORITY' : undefined;
    default:
      return state satisfies never;
  }
}

/** keepalived's words, which scripts look for in logs: `, Entering MASTER STATE`. */
export function enteringText(to: VrrpState['kind']): string {
  return to === 'master' || to === 'backup' || to === 'fault' ? `, Entering ${to.toUpperCase()} STATE` : '';
}
