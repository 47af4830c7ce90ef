// vrrp_script { } and track_file { }: what can be tracked beside devices.

import type { TrackFile } from '../../model/failover-config.js';
import { seconds } from '../../model/units.js';
import type { TrackScript } from '../../model/virtual-router.js';
import { splitCommand } from '../command-line.js';
import { readAccount } from '../notations.js';
import type { Report } from '../report.js';
import { type Block, createBlock, type Statement, settingOf } from '../tree.js';
import { readInteger } from '../values.js';
import { flagOf, integerOf, textOf, timerOf } from './settings.js';
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
  const [command, ...more] = settingOf(block, 'script')?.arguments ?? [];
  if (command === undefined) {
    const message = `${name} has no script: nothing runs, and whoever tracks it goes without`;
    report.add('left-out', keyword, message, 'write script "/path/of/program arguments"');
    return { statement, thing: undefined, trackable: undefined };
  }
  if (more.length > 0) {
    const message = `${name} runs ${command.text} with the words behind it; keepalived 2.2 runs it without them`;
    report.add('differs', command, message, 'put the program and its words into one pair of quotes');
  }
  const interval = timerOf(block, 'interval') || seconds(1);
  const timeout = timerOf(block, 'timeout');
  const [user, group] = settingOf(block, 'user')?.arguments ?? [];
  const script = {
    name,
    command: [...splitCommand(command.text), ...more.map(({ text }) => text)],
    interval,
    timeout: timeout === 0 ? seconds(1) : (timeout ?? interval),
    rise: integerOf(block, 'rise') || 1,
    fall: integerOf(block, 'fall') || 1,
    failsAtStart: flagOf(block, 'init_fail') ?? false,
    account: readAccount(user, group),
  };
  return { statement, thing: script, trackable: trackableOf(block, 0) };
}

function trackableOf(block: Block, usualWeight: number): Trackable {
  const texts = settingOf(block, 'weight')?.arguments.map(({ text }) => text) ?? [];
  return {
    weight: readInteger(texts[0] ?? '') ?? usualWeight,
    isReversed: texts.includes('reverse'),
  };
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
  const initial = settingOf(block, 'init_file')?.arguments.map(({ text }) => text);
  const value = initial?.find((text) => text !== 'overwrite');
  const trackable = trackableOf(block, 1);
  const file = {
    name,
    path,
    ...trackable,
    initial: initial === undefined ? undefined : (readInteger(value ?? '0') ?? 0),
    overwrites: initial?.includes('overwrite') ?? false,
  };
  return { statement, thing: file, trackable };
}
