// Failover without programs: nobody is notified, and no script or file is tracked.

import type { ConfiguredNotifier } from './failover.js';
import type { Tracking } from './trackers.js';

export const silentNotifier: ConfiguredNotifier = {
  configure: () => {},
  routerChanged: () => {},
  groupChanged: () => {},
  stop: async () => {},
};

export function untracked(): Tracking {
  return {
    configure: () => {},
    scripts: new Map(),
    files: new Map(),
    scriptDefects: new Map(),
    status: { scripts: [], files: [] },
    stop: () => {},
  };
}
