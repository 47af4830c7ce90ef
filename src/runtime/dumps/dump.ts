// What USR1 and USR2 write, as keepalived's users know it: the data, the statistics, and both as JSON. The words and
// their order are those of keepalived 2.2.7; where it has something that we have not, the line is left out.

import type { FailoverReading } from '../failover/reading.js';
import { dataText } from './dump-data.js';
import { jsonText } from './dump-json.js';
import { statsText } from './dump-stats.js';

export const dumpKinds = ['data', 'stats', 'json'] as const;
export type DumpKind = (typeof dumpKinds)[number];

export function dumpText(kind: DumpKind, input: FailoverReading): string {
  switch (kind) {
    case 'data':
      return dataText(input);
    case 'stats':
      return statsText(input);
    case 'json':
      return jsonText(input);
    default:
      return kind satisfies never;
  }
}
