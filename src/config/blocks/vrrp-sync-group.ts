// vrrp_sync_group { }: virtual routers that move together. As in keepalived, a router belongs to the first group that
// names it.

import type { GroupConfig, NotifyScripts } from '../../model/failover-config.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { readRows } from '../row.js';
import { notifyRows } from '../rows/notify.js';
import { groupRows } from '../rows/vrrp-sync-group.js';
import type { Block, Statement } from '../tree.js';
import { originOf } from './settings.js';
import { reportUnknownName, type Trackables } from './tracks.js';

export type GroupSurroundings = {
  /** Names of all virtual routers of the text, also of those that were refused. */
  readonly routerNames: ReadonlySet<string>;
  /** Who is in a group already, with the place that says so; grows with each group. */
  readonly grouped: Map<string, Word>;
  readonly known: Trackables;
  readonly notify: Partial<NotifyScripts>;
};

/** undefined when nobody is left in it. Yields between some hundreds of members, and after unknown ones. */
export function readSyncGroup(
  statement: Statement,
  around: GroupSurroundings,
  report: Report,
): GroupConfig | undefined {
  const { block, keyword } = statement;
  const name = statement.arguments[0]?.text;
  if (block === undefined || name === undefined) return undefined;
  const members = readMembers(block, around, report);
  if (members.length < 2 && !report.hasErrors()) {
    const message =
      members.length === 0
        ? `${name} has no virtual router: it is left out`
        : `${name} has ${members[0]} alone: nothing moves with it`;
    report.add('lonely-group', keyword, message, 'name two virtual routers or more in group { }');
  }
  if (members.length === 0) return undefined;
  return {
    group: readRows(groupRows, block, { statement, name, members, known: around.known, report }),
    notify: readRows(notifyRows, block, { inherited: around.notify }),
    origin: originOf(keyword),
  };
}

function readMembers(block: Block, { routerNames, grouped }: GroupSurroundings, report: Report): string[] {
  const members: string[] = [];
  for (const { shape, block: list } of block.repeated) {
    if (shape.name !== 'group') continue;
    for (const [word] of list?.items ?? []) {
      if (report.isFull()) return members;
      if (word === undefined) continue;
      const before = grouped.get(word.text);
      if (!routerNames.has(word.text)) {
        reportUnknownName(word, 'vrrp_instance', routerNames, report);
      } else if (before !== undefined) {
        const message = `${word.text} is in a group already, in line ${before.line}: that one counts`;
        report.add('two-groups', word, message, 'remove it from one of them');
      } else {
        grouped.set(word.text, word);
        members.push(word.text);
      }
    }
  }
  return members;
}
