// vrrp_script { } and track_file { }: what can be tracked beside devices. Without a program, or a file, one is left out.

import type { TrackFile } from '../../model/failover-config.js';
import type { TrackScript } from '../../model/virtual-router.js';
import type { Report } from '../report.js';
import { readRows } from '../row.js';
import { fileRows, scriptRows, weightOfScriptRows } from '../rows/tracked.js';
import { createBlock, type Statement, settingOf } from '../tree.js';
import { textOf } from './settings.js';
import type { Trackable } from './tracks.js';

/** `thing` and `trackable` are undefined when it lacks what it needs, which is said. */
export type ReadTracked<T> = {
  readonly statement: Statement;
  readonly thing: T | undefined;
  readonly trackable: Trackable | undefined;
};

export function readTrackScript(statement: Statement, report: Report): ReadTracked<TrackScript> {
  const { block = createBlock(), keyword } = statement;
  const name = statement.arguments[0]?.text ?? '';
  const command = settingOf(block, 'script')?.arguments ?? [];
  if (command.length === 0) {
    const message = `${name} has no script: nothing runs, and whoever tracks it goes without`;
    report.add('left-out', keyword, message, 'write script "/path/of/program arguments"');
    return { statement, thing: undefined, trackable: undefined };
  }
  const thing = readRows(scriptRows, block, { name, command, report });
  return { statement, thing, trackable: readRows(weightOfScriptRows, block, undefined) };
}

export function readTrackFile(statement: Statement, report: Report): ReadTracked<TrackFile> {
  const { block = createBlock(), keyword } = statement;
  const name = statement.arguments[0]?.text ?? '';
  const path = textOf(block, 'file');
  if (path === undefined) {
    const message = `${name} names no file: whoever tracks it goes without`;
    report.add('left-out', keyword, message, 'write file "/path/of/file"');
    return { statement, thing: undefined, trackable: undefined };
  }
  const file = readRows(fileRows, block, { name, path });
  return { statement, thing: file, trackable: file };
}
