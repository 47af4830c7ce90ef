// Signals while a director starts: from the moment at which the command ignores them until it is ready, each
// millisecond. It starts, and its debugger is not left open.

import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { configText, Director, Lab, labNeeds, topologies, waitFor } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const rounds: readonly (readonly [string, readonly (NodeJS.Signals | number)[]])[] = [
  ['HUP', ['SIGHUP']],
  ['USR1', ['SIGUSR1']],
  ['USR2', ['SIGUSR2']],
  ['the real-time signals', Array.from({ length: 31 }, (_, i) => 34 + i)],
  ['others that do not end keepalived', ['SIGALRM', 'SIGSTKFLT', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR']],
];

requires(...labNeeds).describe('signals during the start', () => {
  test.each(rounds)('%s', async (_name, signals) => {
    await using lab = await Lab.create(topologies.nat());
    const host = lab.host('director');
    const director = Director.launch(host, configText([]), { isByCommand: true });
    const { pid } = director.process;
    const ignored = () =>
      BigInt(`0x${/SigIgn:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]}`);
    await waitFor('the command to ignore HUP', async () => (ignored() & 1n) === 1n, { interval_ms: 0 });
    while (!director.log().includes(' ready ') && director.process.exit === undefined) {
      for (const signal of signals) process.kill(pid, signal);
      await setTimeout(1);
    }
    for (const signal of signals) process.kill(pid, signal);
    await waitFor(
      'the director to answer',
      async () => (await director.api('GET', '/v1/status')).status === 200,
    );
    expect(director.process.exit, director.log()).toBeUndefined();
    expect(await host.exec('ss -Hltn')).toBe('');
    expect(await director.stop()).toEqual({ code: 0, signal: undefined });
  });
});
