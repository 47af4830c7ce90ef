// Every setting of vrrp_sync_group beside its notifications, one row a field.

import type { SyncGroup } from '../../model/virtual-router.js';
import { readTracks, type Trackables, trackLines } from '../blocks/tracks.js';
import { trackShapes } from '../grammar/addresses.js';
import { on } from '../notations.js';
import { word } from '../print-words.js';
import type { Report } from '../report.js';
import { own, type Table, unwritten } from '../row.js';
import { names, splitBlock } from '../shapes.js';
import type { Statement } from '../tree.js';
import { anyWord } from '../values.js';

/** Without members there is no group: they are known before. */
type GroupReading = {
  readonly statement: Statement;
  readonly name: string;
  readonly members: readonly string[];
  readonly known: Trackables;
  readonly report: Report;
};

export const groupRows: Table<SyncGroup, unknown, GroupReading> = {
  name: unwritten((_, { name }) => name),
  members: {
    shapes: { group: splitBlock(names(anyWord)) },
    read: (_, { members }) => members,
    print: (value) => [['group', value.map((name) => word(name))]],
  },
  hasMemberWeights: own('sync_group_tracking_weight', on, () => false),
  tracks: {
    shapes: trackShapes,
    read: (_, { statement, known, report }) => readTracks(statement, known, report).map(({ track }) => track),
    print: trackLines,
  },
};
