// garp_group { }: how far apart announcements are.

import type { Pacing } from '../../model/failover-config.js';
import type { Report } from '../report.js';
import { readRows } from '../row.js';
import { pacingRows } from '../rows/announce-pacing.js';
import { type Block, type Statement, settingOf } from '../tree.js';

/** As in keepalived: a group that says no interval is none, and a device belongs to the first that names it. */
export function readPacingGroups(root: Block, report: Report): Pacing['groups'] {
  const seen = new Map<string, number>();
  return root.repeated.flatMap((statement) => {
    const { shape, block, keyword } = statement;
    if (shape.name !== 'garp_group' || block === undefined) return [];
    if (settingOf(block, 'garp_interval') === undefined && settingOf(block, 'gna_interval') === undefined) {
      const message = 'the group has neither garp_interval nor gna_interval: nothing comes of it';
      report.add('no-effect', keyword, message, 'write one of them');
      return [];
    }
    const devices = readDevices(statement, seen, report);
    return devices.length === 0 ? [] : [readRows(pacingRows, block, { devices })];
  });
}

function readDevices(
  { block, keyword }: Statement,
  seen: Map<string, number>,
  report: Report,
): readonly string[] {
  if (block === undefined) return [];
  const listed = block.repeated.flatMap(({ block: list }) => list?.items.flat() ?? []);
  const named = [...(settingOf(block, 'interface')?.arguments ?? []), ...listed];
  if (named.length === 0) {
    const message = 'the group names no interface: nothing comes of it';
    report.add('no-effect', keyword, message, 'write interface NAME, or interfaces { NAME … }');
  }
  return named.flatMap((word) => {
    const line = seen.get(word.text);
    if (line !== undefined) {
      const message = `${word.text} is in the group of line ${line} already, which counts`;
      report.add('no-effect', word, message, 'name each interface in one group');
      return [];
    }
    seen.set(word.text, word.line);
    return [word.text];
  });
}
