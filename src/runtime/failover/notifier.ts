// Who hears of a change: notify scripts of virtual routers and sync groups, and the FIFOs. The words are keepalived's.

/** As scripts and FIFOs read them. The last two are a new priority in that state (`notify_priority_changes`). */
export type NotifyState =
  | 'MASTER'
  | 'BACKUP'
  | 'FAULT'
  | 'STOP'
  | 'DELETED'
  | 'MASTER_RX_LOWER_PRI'
  | 'MASTER_PRIORITY'
  | 'BACKUP_PRIORITY';

export interface Notifier {
  /** `priority` is the effective one. Returns at once; what one router says is carried out in order. */
  routerChanged(name: string, state: NotifyState, priority: number): void;
  /** `priority` is that of the first member, as in keepalived. */
  groupChanged(name: string, state: NotifyState, priority: number): void;
}
