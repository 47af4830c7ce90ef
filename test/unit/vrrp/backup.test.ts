// Start and backup: every event against the actions it must have, and deadlines to the microsecond.
import { describe, expect, test } from 'vitest';
import { micros, seconds } from '../../../src/model/units.js';
import { backup, heard, higher, Instance, ip, lower, master, policy, router, words } from './fixtures.js';

const taking = (cause: string, priority = 100) => [
  `backup→master ${cause}`,
  `send ${priority}`,
  ...(cause === 'silence' ? ['probe-addresses'] : []),
  'forward on',
  'add-addresses',
  'announce 5 master',
  `notify master ${priority}`,
];

describe('start', () => {
  test('removes what a dead run left, then listens for the whole master-down interval', () => {
    const instance = new Instance(policy());
    expect(words(instance.at(0, { kind: 'start' }))).toEqual([
      'clean-addresses',
      'initialize→backup started',
      'notify backup 100',
    ]);
    expect(instance.deadline_s).toBe(3.609375);
  });

  test.each([
    ['state BACKUP, 255: listens too', { startState: 'backup', priority: 255 }, 'backup', 3.003906],
    ['state MASTER, 100: listens too', { startState: 'master', priority: 100 }, 'backup', 3.609375],
    ['state MASTER, 255: at once', { startState: 'master', priority: 255 }, 'master', 1],
  ] as const)('%s', (_, overrides, kind, deadline_s) => {
    const instance = backup(overrides);
    expect(instance.state.kind).toBe(kind);
    expect(instance.deadline_s).toBe(deadline_s);
  });

  test('an owner sends, forwards, adds and announces, and probes nobody', () => {
    const instance = new Instance(policy({ startState: 'master', priority: 255 }));
    expect(words(instance.at(0, { kind: 'start' }))).toEqual([
      'clean-addresses',
      'initialize→master owner',
      'send 255',
      'forward on',
      'add-addresses',
      'announce 5 master',
      'notify master 255',
    ]);
  });

  test('the startup delay comes first and hears nothing', () => {
    const instance = backup({ startupDelay: seconds(3) });
    expect(instance.at(1, heard(150))).toEqual([]);
    expect(instance.deadline_s).toBe(3);
    expect(words(instance.deadline())).toEqual(['initialize→backup started', 'notify backup 100']);
    expect(instance.deadline_s).toBe(6.609375);
  });

  test('a fault known before the start keeps it out', () => {
    const instance = new Instance(policy());
    instance.at(0, { kind: 'tracking', priority: 100, faults: ['interface eth0 is down'] });
    expect(words(instance.at(0, { kind: 'start' }))).toEqual([
      'clean-addresses',
      'initialize→fault fault',
      'notify fault 100',
    ]);
    expect(instance.deadline_s).toBeUndefined();
  });

  test('happens once', () => {
    const instance = backup();
    expect(instance.at(1, { kind: 'start' })).toEqual([]);
  });
});

describe('master-down interval', () => {
  test.each([
    [2, 100, 1, 3, 3.609375],
    [2, 1, 1, 3, 3.996094],
    [2, 254, 10, 3, 30.007813],
    [3, 100, 1, 3, 3.609375],
    [3, 100, 0.05, 3, 0.180469],
    [3, 100, 0.01, 3, 0.036094],
    [3, 1, 40.95, 3, 163.640039],
    [2, 100, 1, 5, 5.609375],
  ] as const)(
    'v%i, priority %i, every %f s, %i adverts: %f s',
    (version, priority, interval, adverts, down) => {
      const advertInterval = seconds(interval);
      const instance = backup({ version, priority, advertInterval, downTimerAdverts: adverts });
      expect(instance.deadline_s).toBe(down);
    },
  );
});

describe('silence', () => {
  test('at the deadline: advert first, then the rest in order', () => {
    expect(words(backup().deadline())).toEqual(taking('silence'));
  });

  test('before the deadline nothing happens', () => {
    expect(backup().at(3.6, { kind: 'deadline' })).toEqual([]);
  });

  test('missed by our own stall: waits one interval for what lies unread, once', () => {
    const instance = backup();
    instance.at(1, heard(150));
    expect(words(instance.at(9, { kind: 'deadline' }))).toEqual(['report warning stalled']);
    expect(instance.deadline_s).toBe(10);
    expect(words(instance.deadline())).toEqual(taking('silence'));
  });

  test('missed by our own stall, and the master lives: nothing is lost', () => {
    const instance = backup();
    instance.at(9, { kind: 'deadline' });
    expect(instance.at(9.001, heard(150))).toEqual([]);
    expect(instance.deadline_s).toBe(12.610375);
  });

  test('says how long and who', () => {
    const instance = backup();
    instance.at(1, heard(150));
    expect(instance.deadline()[0]).toMatchObject({
      cause: { kind: 'silence', master: higher, silence: seconds(3.609375) },
    });
  });
});

describe('adverts', () => {
  test.each([
    ['higher priority', 150, higher],
    ['equal priority, whatever the address', 100, lower],
    ['owner', 255, higher],
  ])('%s puts off the deadline', (_, priority, source) => {
    const instance = backup();
    expect(instance.at(2, heard(priority, source))).toEqual([]);
    expect(instance.deadline_s).toBe(5.609375);
  });

  test('lower priority: discarded, said once, and the deadline runs out', () => {
    const instance = backup();
    expect(words(instance.at(1, heard(50)))).toEqual(['report info lower-priority-discarded']);
    expect(instance.at(2, heard(50))).toEqual([]);
    instance.at(3, heard(50));
    expect(instance.deadline_s).toBe(3.609375);
    expect(words(instance.deadline())).toEqual(taking('preempted'));
  });

  test('nopreempt follows lower priority until it is silent', () => {
    const instance = backup({ preempt: false });
    expect(instance.at(4.5 - 3, heard(50))).toEqual([]);
    expect(instance.deadline_s).toBe(5.109375);
    expect(words(instance.deadline())).toEqual(taking('silence'));
  });

  test('preempt_delay runs from the first lower advert, then the deadline runs out', () => {
    const instance = backup({ preemptDelay: seconds(3) });
    expect(words(instance.at(0.5, heard(50)))).toEqual(['report info preemption-waits']);
    for (const at of [1.5, 2.5]) expect(instance.at(at, heard(50))).toEqual([]);
    expect(instance.deadline_s).toBe(6.109375);
    expect(words(instance.at(3.5, heard(50)))).toEqual(['report info lower-priority-discarded']);
    instance.at(5.5, heard(50));
    expect(words(instance.deadline())).toEqual(taking('preempted'));
  });

  test('preempt_delay starts anew after a master with higher priority', () => {
    const instance = backup({ preemptDelay: seconds(3) });
    instance.at(0.5, heard(50));
    instance.at(3, heard(150));
    expect(words(instance.at(4, heard(50)))).toEqual(['report info preemption-waits']);
    expect(instance.deadline_s).toBe(7.609375);
  });

  test('priority 0: only the skew time is left', () => {
    const instance = backup();
    instance.at(1, heard(150));
    expect(instance.at(1.5, heard(0))).toEqual([]);
    expect(instance.deadline_s).toBe(2.109375);
    expect(words(instance.deadline())).toEqual(taking('released'));
  });

  test('priority 0 said again never puts off', () => {
    const instance = backup();
    instance.at(1.5, heard(0));
    instance.at(2, heard(0));
    expect(instance.deadline_s).toBe(2.109375);
  });

  test('v3 adopts the interval of the master, and says so', () => {
    const instance = backup({ version: 3 });
    expect(words(instance.at(0.5, heard(150, higher, seconds(3))))).toEqual([
      'report warning interval-adopted',
    ]);
    expect(instance.deadline_s).toBe(0.5 + 9 + (156 * 3) / 256);
    expect(words(instance.deadline())[1]).toBe('send 100');
    expect(instance.deadline_s).toBe(12.328125); // its own interval again
  });

  test('v3 does not adopt from a second master that the followed one outranks, while that one lives', () => {
    const instance = backup({ version: 3, preempt: false });
    instance.at(1, heard(80, higher, seconds(3)));
    const before = instance.deadline_s;
    expect(instance.at(1.1, heard(80, lower, seconds(1)))).toEqual([]);
    expect(instance.at(5.4, heard(70, lower, seconds(1)))).toEqual([]);
    expect(instance.deadline_s).toBe(before);
    expect(words(instance.at(5.6, heard(70, lower, seconds(1))))).toEqual([
      'report warning interval-adopted',
    ]);
    expect(instance.deadline_s).toBe(9.209375);
  });

  test('v3 does not adopt from adverts that it discards', () => {
    const instance = backup({ version: 3 });
    instance.at(0.5, heard(50, higher, seconds(3)));
    expect(instance.deadline_s).toBe(3.609375);
  });

  test('a checksum by the other convention is told once for each master', () => {
    const instance = backup();
    const event = (source = higher) => ({
      kind: 'advert' as const,
      advert: { source, priority: 150, interval: seconds(1), hasOtherChecksum: true },
    });
    expect(words(instance.at(1, event()))).toEqual(['report warning other-checksum']);
    expect(instance.at(2, event())).toEqual([]);
    expect(words(instance.at(3, event(ip('10.0.0.9'))))).toEqual(['report warning other-checksum']);
  });
});

test('a refused advert is told once, and puts off nothing', () => {
  const instance = backup();
  const refused = (reason: 'addresses' | 'interval') =>
    ({ kind: 'rejected', reason, source: higher }) as const;
  expect(words(instance.at(1, refused('addresses')))).toEqual(['report warning not-understood']);
  expect(instance.at(2, refused('addresses'))).toEqual([]);
  expect(words(instance.at(3, refused('interval')))).toEqual(['report warning not-understood']);
  expect(instance.deadline_s).toBe(3.609375);
});

describe('tracking', () => {
  test('a new priority decides from the next advert on', () => {
    const instance = backup();
    instance.at(1, heard(120));
    expect(words(instance.at(1.5, { kind: 'tracking', priority: 130, faults: [] }))).toEqual([
      'notify priority 130',
    ]);
    expect(words(instance.at(2, heard(120)))).toEqual(['report info lower-priority-discarded']);
    expect(instance.deadline_s).toBe(4.609375);
  });

  test('fault and back: with reasons, then the whole master-down interval', () => {
    const instance = backup();
    const faults = ['interface eth0 is down', 'script s failed'];
    const actions = instance.at(1, { kind: 'tracking', priority: 100, faults });
    expect(words(actions)).toEqual(['backup→fault fault', 'notify fault 100']);
    expect(actions[0]).toMatchObject({ cause: { reasons: faults } });
    expect(instance.at(2, heard(50))).toEqual([]);
    expect(instance.at(3, { kind: 'tracking', priority: 100, faults: ['script s failed'] })).toEqual([]);
    expect(words(instance.at(4, { kind: 'tracking', priority: 100, faults: [] }))).toEqual([
      'fault→backup recovered',
      'notify backup 100',
    ]);
    expect(instance.deadline_s).toBe(7.609375);
  });
});

test.each([
  ['stop', { kind: 'stop' }, ['backup→initialize stop', 'notify stop 100']],
  ['release', { kind: 'release' }, ['backup→initialize stop', 'notify stop 100']],
  ['switchover', { kind: 'switchover' }, ['report warning switchover-refused']],
  ['rejected', { kind: 'rejected', reason: 'addresses', source: higher }, ['report warning not-understood']],
  ['rejected, no master', { kind: 'rejected', reason: 'own-advert', source: higher }, []],
  ['address-claimed', { kind: 'address-claimed' }, []],
  ['address-answered', { kind: 'address-answered', address: higher, mac: '02:00:00:00:00:01' }, []],
  ['announcement-missed', { kind: 'announcement-missed', reason: 'link down' }, []],
  ['group-announce', { kind: 'group-announce' }, []],
  ['lease-expired', { kind: 'lease-expired' }, []],
  ['allow-preemption', { kind: 'allow-preemption' }, []],
  ['group to backup', { kind: 'group', to: 'backup', router: 'VI_2' }, []],
  ['group to master', { kind: 'group', to: 'master', router: 'VI_2' }, taking('group')],
] as const)('backup, %s', (_, event, expected) => {
  expect(words(backup().at(1, event))).toEqual(expected);
});

test('after a stop only a start means anything', () => {
  const instance = backup();
  instance.at(1, { kind: 'stop' });
  for (const event of [heard(0), { kind: 'deadline' } as const, { kind: 'stop' } as const]) {
    expect(instance.at(2, event)).toEqual([]);
  }
  expect(instance.deadline_s).toBeUndefined();
  expect(words(instance.at(3, { kind: 'start' }))[1]).toBe('initialize→backup started');
});

test('the defaults of a router are what the tests say they are', () => {
  expect(router().releaseBudget).toBe(micros(2_500_000));
});

describe('a reload that changes advert_int', () => {
  const changedAt = (version: 2 | 3, interval_s: number) => {
    const instance = backup({ version });
    instance.at(1, heard(200));
    instance.policy = policy({ version, advertInterval: seconds(interval_s) });
    instance.at(2, { kind: 'changed' });
    return instance.deadline_s;
  };

  test('moves the deadline of a backup, from the last advert on', () => {
    expect(changedAt(2, 4)).toBe(1 + 3 * 4 + 156 / 256);
    expect(changedAt(2, 1)).toBe(1 + 3 + 156 / 256);
  });

  test('in version 3 the interval of the master that is followed counts on', () => {
    expect(changedAt(3, 4)).toBe(1 + 3 + 156 / 256);
  });

  test('a master adverts within the new interval', () => {
    const instance = master({ advertInterval: seconds(10) });
    const start_s = instance.now / 1_000_000;
    instance.policy = policy({ advertInterval: seconds(1) });
    instance.at(start_s + 2, { kind: 'changed' });
    expect(instance.deadline_s).toBe(start_s + 3);
  });
});
