// Scripts that are told of changes: notify_* of instances and groups, and the form that all scripts share,
// `COMMAND [USER [GROUP]]`.

import type { NotifyScripts, ScriptCommand } from '../../model/failover-config.js';
import type { Account } from '../../model/virtual-router.js';
import { splitCommand } from '../command-line.js';
import type { Word } from '../lexer.js';
import { type Block, settingOf } from '../tree.js';
import { flagOf } from './settings.js';

/** undefined when the keyword is not there. */
export function commandOf(block: Block, keyword: string): ScriptCommand | undefined {
  const [command, user, group] = settingOf(block, keyword)?.arguments ?? [];
  if (command === undefined) return undefined;
  return { words: splitCommand(command.text), account: readAccount(user, group) };
}

export function readAccount(user: Word | undefined, group: Word | undefined): Account | undefined {
  return user === undefined ? undefined : { user: user.text, group: group?.text };
}

/** `notify_deleted` alone changes only the word. */
function bareDeleted(block: Block): ScriptCommand | undefined {
  return settingOf(block, 'notify_deleted') === undefined ? undefined : { words: [], account: undefined };
}

export function readNotify(block: Block, notifiesPriority: boolean): NotifyScripts {
  return {
    master: commandOf(block, 'notify_master'),
    backup: commandOf(block, 'notify_backup'),
    fault: commandOf(block, 'notify_fault'),
    stop: commandOf(block, 'notify_stop'),
    deleted: commandOf(block, 'notify_deleted') ?? bareDeleted(block),
    masterRxLowerPriority: commandOf(block, 'notify_master_rx_lower_pri'),
    any: commandOf(block, 'notify'),
    notifiesPriority: flagOf(block, 'notify_priority_changes') ?? notifiesPriority,
  };
}
