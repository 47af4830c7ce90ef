// notify and notify_* of instances and groups: scripts that are told of changes. The dumps' titles go on with the state
// they are about.

import type { NotifyScripts, ScriptCommand } from '../../model/failover-config.js';
import { type Notation, script, yesOrNo } from '../notations.js';
import { type Inheriting, inherited, optional, type Row, type Table } from '../row.js';
import { argumentsOf, keyword } from '../shapes.js';
import { account, command } from '../values.js';

type Above = Inheriting<NotifyScripts>;

function notify(
  name: string,
  title: string,
  notation: Notation<ScriptCommand> = script,
): Row<ScriptCommand | undefined, NotifyScripts, Above> {
  const titleOfDump = `${title} state transition script`;
  return { ...optional(name, notation), dump: { data: [titleOfDump, (value) => value?.words.join(' ')] } };
}

/** `notify_deleted` alone changes only the word. */
const scriptOrWord: Notation<ScriptCommand> = {
  shape: keyword(argumentsOf({ optional: [command, account, account] }), { firstCounts: true }),
  read: (statement) => script.read(statement) ?? { words: [], account: undefined },
  write: (value) => (value.words.length === 0 ? '' : script.write(value)),
};

export const notifyRows: Table<NotifyScripts, Above> = {
  backup: notify('notify_backup', 'Backup'),
  master: notify('notify_master', 'Master'),
  fault: notify('notify_fault', 'Fault'),
  stop: notify('notify_stop', 'Stop'),
  deleted: notify('notify_deleted', 'Deleted', scriptOrWord),
  masterRxLowerPriority: notify('notify_master_rx_lower_pri', 'Master rx lower pri'),
  any: notify('notify', 'Generic'),
  notifiesPriority: inherited('notifiesPriority', 'notify_priority_changes', yesOrNo, () => false, {
    global: ['vrrp_notify_priority_changes', yesOrNo],
    dump: { data: ['Notify priority changes', String] },
  }),
};

const { deleted: _, masterRxLowerPriority: __, ...ofGroups } = notifyRows;
/** Those that a sync group knows. */
export const groupNotifyRows = ofGroups;
