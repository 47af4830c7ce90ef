// apply(diff(a, b), a) is b, nothing is done twice, and every change has one line of words.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apply, describe, diff } from '../../src/model/diff.js';
import type { DirectorConfig } from '../../src/model/director-config.js';
import type { FailoverConfig } from '../../src/model/failover-config.js';
import { serviceKey } from '../../src/model/service-id.js';
import { arbitraryConfig } from '../support/arbitrary-config.js';
import { withoutOrigins } from '../support/parse-config.js';

/** Two configurations that share services and servers, as two states of one file do. */
const pair = fc
  .tuple(arbitraryConfig(), arbitraryConfig(), fc.array(fc.nat(9), { minLength: 16, maxLength: 16 }))
  .map(([a, b, dice]): [DirectorConfig, DirectorConfig] => {
    const shared = a.virtualServers.filter((_, i) => (dice[i] ?? 0) < 6);
    const changed = shared.map((service, i) => {
      const servers = service.realServers.map((server, j) =>
        (dice[i + j + 4] ?? 0) < 4 ? { ...server, weight: (server.weight + 1) % 65_536 } : server,
      );
      const isReversed = (dice[i + 8] ?? 0) < 4;
      return { ...service, realServers: isReversed ? servers.toReversed() : servers };
    });
    const virtualServers = (dice[12] ?? 0) < 5 ? [...changed, ...b.virtualServers] : changed.toReversed();
    const unique = new Map(virtualServers.map((s) => [serviceKey(s.id), s]));
    return [a, { ...b, virtualServers: [...unique.values()], failover: mixed(a.failover, b.failover, dice) }];
  });

/** Some of the first, changed and moved, and some of the second. */
function mixed(a: FailoverConfig, b: FailoverConfig, dice: readonly number[]): FailoverConfig {
  const diceOf = (i: number) => dice[i % dice.length] ?? 0;
  const kept = a.routers.filter((_, i) => diceOf(i) < 7);
  const changed = kept.map((entry, i) =>
    diceOf(i + 3) < 4
      ? { ...entry, router: { ...entry.router, priority: (entry.router.priority % 254) + 1 } }
      : entry,
  );
  const routers = [...(diceOf(9) < 5 ? changed.toReversed() : changed), ...b.routers];
  const unique = new Map(routers.map((entry) => [entry.router.name, entry]));
  const isSameNotify = diceOf(10) < 5;
  const groups = isSameNotify ? a.groups : b.groups;
  const scripts = diceOf(11) < 5 ? a.scripts.toReversed() : b.scripts;
  return { ...b, routers: [...unique.values()], groups, scripts, files: diceOf(12) < 5 ? a.files : b.files };
}

test('apply(diff(a, b), a) is b', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      expect(withoutOrigins(apply(diff(a, b), a))).toEqual(withoutOrigins(b));
    }),
    { numRuns: 300 },
  );
});

test('what is applied once has no difference left, and a config none to itself', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      expect(diff(apply(diff(a, b), a), b)).toEqual([]);
      expect(diff(a, structuredClone(a))).toEqual([]);
    }),
  );
});

test('a change is one line of words', () => {
  fc.assert(
    fc.property(pair, ([a, b]) => {
      for (const change of diff(a, b)) expect(describe(change)).toMatch(/^[^\n]{10,}$/);
    }),
  );
});
