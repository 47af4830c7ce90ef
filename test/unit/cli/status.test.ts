// `director status` as text: marks of services and servers, attempts of a check that fails, what is kept for --verbose.

import { expect, test } from 'vitest';
import { formatFailover } from '../../../src/cli/failover-text.js';
import { formatStatus } from '../../../src/cli/status.js';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import { newCounters } from '../../../src/runtime/failover/counters.js';
import { noFailoverView, type VirtualRouterView } from '../../../src/runtime/failover/views.js';
import type { ServiceView } from '../../../src/runtime/views.js';
import { FakeProbes } from '../../support/fake-probes.js';

const configText = `
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 10.1.0.1 80 {
    TCP_CHECK {
      retry 3
    }
  }
  real_server 10.1.0.2 80 {
  }
}
`;

const director = createDirector(
  { configText },
  { dataplane: new MemoryDataplane(), probes: new FakeProbes().probes },
);
await director.start();
const status = director.status();
const [service] = await director.services();
await director.stop();
if (service === undefined) throw new Error('no service');

const master = {
  name: 'VI_1',
  state: 'master',
  why: 'master',
  device: 'eth0',
  family: 4,
  version: 2,
  virtualRouterId: 1,
  basePriority: 100,
  priority: 100,
  source: '10.0.0.1',
  addresses: [],
  excludedAddresses: [],
  hasAddresses: true,
  counters: newCounters(),
  budget: [],
  takeovers: [],
} as unknown as VirtualRouterView;

const text = (changed: Partial<ServiceView>) => formatStatus(status, [{ ...service, ...changed }]);

function withChecker(changed: object): Partial<ServiceView> {
  const [first, ...rest] = service?.servers ?? [];
  if (first === undefined) throw new Error('no server');
  const checkers = first.checkers.map((checker) => ({ ...checker, ...changed }));
  return { servers: [{ ...first, checkers }, ...rest] };
}

test('what nobody checks, what stands by and what drains is marked', () => {
  expect(text({})).toContain('\nnot checked    tcp 10.0.0.1:80: 1 of 2 servers\n');
  expect(text({ isStandby: true })).toContain(
    '\nstandby        tcp 10.0.0.1:80: another director holds its address\n',
  );
  expect(text({ isDraining: true })).toContain(
    '\ndraining       tcp 10.0.0.1:80: removed, its connections run out\n',
  );
});

test('attempts are counted while a check fails', () => {
  const failing = withChecker({ failures: 2, lastFailure: 'connection refused' });
  expect(text(failing)).toContain(
    '\nfailing        10.1.0.1:80 of tcp 10.0.0.1:80: tcp check, 2 of 4 attempts failed: connection refused\n',
  );
  expect(text({})).not.toContain('failing');
});

test('internals and the hundredth trouble are for --verbose', () => {
  const services = Array.from({ length: 100 }, () => service);
  const short = formatStatus(status, services);
  expect(short).not.toMatch(/^(input\/output|steering|checkers) /m);
  expect(short).toContain('\n…              80 more such lines: --verbose\n');
  const long = formatStatus(status, services, true);
  expect(long).toMatch(/^steering /m);
  expect(long.match(/^not checked /gm)).toHaveLength(100);
});

test('the newest comes first in the timeline, in the time of the log', () => {
  const entry = (at: number, to: 'backup' | 'master') =>
    ({ at, router: 'VI_1', from: 'initialize', to, cause: 'started', why: 'started' }) as never;
  const timeline = [entry(0, 'backup'), entry(1_500_000, 'master')];
  const lines = formatFailover({ ...noFailoverView, virtualRouters: [master], timeline });
  expect(lines.filter((line) => line.startsWith('timeline'))).toEqual([
    'timeline       1970-01-01T00:00:01.500Z VI_1: initialize → master: started',
    'timeline       1970-01-01T00:00:00.000Z VI_1: initialize → backup: started',
  ]);
});

test.each([
  [600_000, true, '0.600 s of 0.609 s, in time'],
  [625_000, true, '0.625 s of 0.609 s, a little over it'],
  [900_000, false, '0.900 s of 0.609 s, too long'],
])('a takeover of %s µs', (took, isWithin, expected) => {
  const takeovers = [{ at: 0, cause: 'silence', why: 'silence', took, budget: 609_000, isWithin }] as never;
  const lines = formatFailover({ ...noFailoverView, virtualRouters: [{ ...master, takeovers }] });
  expect(lines.join('\n')).toContain(`${expected}: silence`);
});

test('the two values behind a refusal', () => {
  const rejected = { ...master.counters.rejected, interval: 3 };
  const lastRejected = { source: '10.0.0.2', reason: 'interval', detail: 'it says 2 s, here 1 s' } as never;
  const counters = { ...master.counters, rejected, lastRejected };
  const lines = formatFailover({ ...noFailoverView, virtualRouters: [{ ...master, counters }] });
  expect(lines.join('\n')).toContain('refused: 3 interval (10.0.0.2: interval: it says 2 s, here 1 s)');
});
