// The words by which scripts and FIFOs hear of changes, to the letter those of keepalived 2.2.

import {
  type DestinationId,
  type Protocol,
  type ServiceId,
  writtenEndpoint,
} from '../../model/service-id.js';

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

export type SubjectKind = 'INSTANCE' | 'GROUP';

/** What `notify` gets behind its own arguments. A group has no priority: keepalived says 0. */
export function notifyArguments(
  kind: SubjectKind,
  name: string,
  state: NotifyState,
  priority: number,
): string[] {
  return [kind, name, state, String(kind === 'GROUP' ? 0 : priority)];
}

/** `INSTANCE "VI_1" MASTER 100`; with the line end. */
export function notifyLine(kind: SubjectKind, name: string, state: NotifyState, priority: number): string {
  const [, , , shownPriority] = notifyArguments(kind, name, state, priority);
  return `${kind} "${name}" ${state} ${shownPriority}\n`;
}

/** `VS [10.0.0.1]:tcp:80 UP`, `VS FWM 3 UP`; with the line end. */
export function serviceLine(service: ServiceId, isUp: boolean): string {
  return `VS ${serviceWord(service)} ${isUp ? 'UP' : 'DOWN'}\n`;
}

/** `RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN`: the server, then its service; with the line end. */
export function serverLine(service: ServiceId, server: DestinationId, isUp: boolean): string {
  const protocol = service.kind === 'mark' ? 'tcp' : service.protocol;
  return `RS ${endpoint(protocol, server)} ${serviceWord(service)} ${isUp ? 'UP' : 'DOWN'}\n`;
}

function serviceWord(id: ServiceId): string {
  return id.kind === 'mark' ? `FWM ${id.mark}` : endpoint(id.protocol, writtenEndpoint(id));
}

function endpoint(protocol: Protocol, { address, port }: DestinationId): string {
  return `[${address}]:${protocol}:${port}`;
}
