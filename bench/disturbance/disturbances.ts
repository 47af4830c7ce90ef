// What happens to a director in the field though nothing is wrong with its connections.

import { type Dialogue, waitFor } from '../../test/support/lab/index.js';
import type { Scene } from './scene.js';

export type Disturbance = {
  readonly name: string;
  /** Ends when the director is back to what it was. */
  readonly strike: (scene: Scene, dialogue: Dialogue) => Promise<void>;
};

export const disturbances: readonly Disturbance[] = [
  {
    name: 'nothing',
    strike: async (_scene, dialogue) => dialogue.waitForAll(),
  },
  ...[2, 5].map((seconds) => ({
    name: `stands still for ${seconds} s`,
    strike: async (scene: Scene) => {
      scene.director.process.signal('SIGSTOP');
      const until = performance.now() + seconds * 1000;
      try {
        await waitFor('the stall to end', () => performance.now() >= until, { timeout_s: seconds + 5 });
      } finally {
        scene.director.process.signal('SIGCONT');
      }
    },
  })),
  { name: 'restart', strike: (scene) => scene.restart() },
  {
    name: 'uvs0 down and up',
    strike: async (scene, dialogue) => {
      const before = dialogue.reports;
      await scene.host.ip('link set uvs0 down');
      // Until somebody missed an answer, or the director has put it back and nobody did.
      await waitFor('ten reports', () => dialogue.reports >= before + 10);
      await scene.host.ip('link set uvs0 up');
    },
  },
  {
    name: 'tso off and on',
    strike: async (scene, dialogue) => {
      for (const setting of ['off', 'on']) {
        for (const device of await scene.devices())
          await scene.host.exec(`ethtool -K ${device} tso ${setting}`);
        await dialogue.waitForAll();
      }
    },
  },
];
