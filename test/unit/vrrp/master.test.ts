// Master and releasing: every event against the actions it must have, in order.
import { describe, expect, test } from 'vitest';
import { micros, seconds } from '../../../src/model/units.js';
import type { AnnouncePolicy } from '../../../src/model/virtual-router.js';
import { compareAddresses } from '../../../src/vrrp/election.js';
import { advert, heard, higher, ip, lower, master, words } from './fixtures.js';

const leaving = ['remove-addresses', 'forward off'];
/** A master takes over at this time. */
const start_s = 3.609375;

describe('adverts of its own', () => {
  test('go out every interval, without drift', () => {
    const instance = master();
    expect(instance.deadline_s).toBe(4.609375);
    expect(words(instance.at(4.612, { kind: 'deadline' }))).toEqual(['send 100']);
    expect(instance.deadline_s).toBe(5.609375);
  });

  test('those that a short stall missed are not made up for', () => {
    const instance = master();
    expect(words(instance.at(6.2, { kind: 'deadline' }))).toEqual(['send 100']);
    expect(instance.deadline_s).toBe(7.2);
  });

  test('every 10 ms', () => {
    const instance = master({ version: 3, advertInterval: seconds(0.01) });
    const first = instance.deadline_s ?? 0;
    instance.deadline();
    expect(instance.deadline_s).toBeCloseTo(first + 0.01, 9);
  });
});

describe('announcements', () => {
  test('a second round after the delay, and refreshes for whoever missed both', () => {
    const instance = master({
      announce: { ...master().policy.router.announce, refresh: seconds(8), refreshRepeat: 2 },
    });
    const announced: string[] = [];
    while (instance.now < seconds(30)) {
      const said = words(instance.deadline()).filter((word) => word.startsWith('announce'));
      announced.push(
        ...said.map((word) => `${((instance.now - seconds(start_s)) / 1e6).toFixed(1)} ${word}`),
      );
    }
    expect(announced).toEqual([
      '5.0 announce 5 delayed',
      '8.0 announce 2 refresh',
      '16.0 announce 2 refresh',
      '24.0 announce 2 refresh',
    ]);
  });

  test('other settings: a new period counts from then on, one that is gone ends', () => {
    const { announce } = master().policy.router;
    const timesOf = (before: Partial<AnnouncePolicy>, after: Partial<AnnouncePolicy>): number[] => {
      const instance = master({ announce: { ...announce, delay: micros(0), ...before } });
      instance.until(start_s + 6);
      const { router } = instance.policy;
      instance.policy = {
        ...instance.policy,
        router: { ...router, announce: { ...router.announce, ...after } },
      };
      instance.at(start_s + 6, { kind: 'changed' });
      const times: number[] = [];
      while (instance.now < seconds(start_s + 20)) {
        if (words(instance.deadline()).some((word) => word.startsWith('announce'))) {
          times.push(Math.round(instance.now / 1e6 - start_s));
        }
      }
      return times;
    };
    expect(timesOf({ refresh: seconds(8) }, { refresh: micros(0) })).toEqual([]);
    expect(timesOf({ refresh: seconds(0) }, { refresh: seconds(6) })).toEqual([12, 18]);
    expect(timesOf({ refresh: seconds(8) }, { refresh: seconds(100) })).toEqual([8]);
    expect(timesOf({ extra: seconds(100) }, { extra: seconds(9) })).toEqual([15]);
  });

  test('garp_master_delay 0 leaves the second round out', () => {
    const { announce } = master().policy.router;
    const instance = master({ announce: { ...announce, delay: micros(0) } });
    expect(instance.state).toMatchObject({ announcements: [] });
  });

  test('a claim of somebody else: unless its advert comes, we ask who holds the addresses, every ten seconds at most', () => {
    const { announce } = master().policy.router;
    const quiet = { ...announce, delay: micros(0) };
    const claimed = { kind: 'address-claimed' } as const;
    const asked = (instance: ReturnType<typeof master>, until_s: number) =>
      instance.until(until_s).filter((word) => word.startsWith('probe') || word.startsWith('announce'));
    const alone = master({ announce: quiet });
    alone.at(4, claimed);
    expect(asked(alone, 5.9)).toEqual([]);
    expect(asked(alone, 6)).toEqual(['probe-addresses']);
    alone.at(13.9, claimed);
    expect(asked(alone, 19)).toEqual([]);
    alone.at(19, claimed);
    expect(asked(alone, 21)).toEqual(['probe-addresses']);
    const succeeded = master({ announce: quiet });
    succeeded.at(4, claimed);
    succeeded.at(5.5, heard(200));
    expect(asked(succeeded, 7)).toEqual([]);
  });

  test('one that could not be sent is repeated', () => {
    const instance = master();
    instance.until(10);
    const event = { kind: 'announcement-missed', reason: 'link down' } as const;
    expect(words(instance.at(10, event))).toEqual(['report warning announcement-missed']);
    expect(instance.until(14.9).join()).not.toContain('announce');
    expect(instance.until(15)).toEqual(['announce 5 missed']);
  });

  describe('another MAC that answers for our address', () => {
    const answered = {
      kind: 'address-answered',
      address: ip('10.0.0.100'),
      mac: '02:00:00:00:00:09',
    } as const;
    const said = (instance: ReturnType<typeof master>, until_s: number) =>
      instance.until(until_s).filter((word) => !/send|delayed/.test(word));
    const { announce } = master().policy.router;

    test('is told, announced against once, and asked again until it is silent', () => {
      const instance = master();
      expect(said(instance, 20)).toEqual([]);
      expect(words(instance.at(20, answered))).toEqual(['report error address-conflict']);
      expect(said(instance, 21.9)).toEqual([]);
      expect(said(instance, 22)).toEqual(['announce 5 conflict', 'probe-addresses']);
      for (let at = 30; at <= 300; at += 10) {
        expect(said(instance, at)).toEqual(['probe-addresses']);
        expect(instance.at(at + 0.001, answered)).toEqual([]);
      }
      expect(said(instance, 320)).toEqual(['probe-addresses', 'probe-addresses']);
      expect(said(instance, 330)).toEqual(['report warning address-conflict-gone', 'announce 5 healed']);
      expect(said(instance, 400)).toEqual([]);
    });

    test('is left alone when a successor’s advert explains it', () => {
      const succeeded = master();
      said(succeeded, 20);
      succeeded.at(20, answered);
      succeeded.at(20.5, heard(200));
      expect(said(succeeded, 23)).toEqual([]);
    });

    test('hears no more of one that has just taken over: not even the second round', () => {
      const newcomer = master();
      newcomer.at(3.7, answered);
      expect(newcomer.until(12).filter((word) => word.startsWith('announce'))).toEqual([]);
    });

    test('is announced against at once when a claim was waited for already', () => {
      const instance = master();
      said(instance, 20);
      instance.at(20, { kind: 'address-claimed' });
      expect(said(instance, 22)).toEqual(['probe-addresses']);
      instance.at(22.001, answered);
      expect(said(instance, 22.001)).toEqual(['announce 5 conflict', 'probe-addresses']);
      // The other says it again and again: it is not answered.
      instance.at(25, { kind: 'address-claimed' });
      expect(said(instance, 31)).toEqual([]);
    });

    test('is not drawn from by the silence of a third that was never understood', () => {
      const rejected = { kind: 'rejected', source: higher, reason: 'authentication' } as const;
      const instance = master();
      said(instance, 20);
      instance.at(20, answered);
      instance.at(21, rejected);
      expect(said(instance, 29)).toEqual([
        'announce 5 conflict',
        'probe-addresses',
        'report warning second-master-gone',
      ]);
    });

    test.each([
      [false, []],
      [true, ['announce 1 refresh', 'probe-addresses']],
    ])('pauses the refresh unless the file asks for it: %s', (isRefreshWritten, expected) => {
      const instance = master({ announce: { ...announce, refresh: seconds(5), isRefreshWritten } });
      said(instance, 4);
      instance.at(4, answered);
      expect(said(instance, 12).filter((word) => !word.includes('probe') || isRefreshWritten)).toEqual(
        expected,
      );
    });
  });
});

describe('adverts of others', () => {
  test.each([
    ['priority 0: answered at once', {}, heard(0), ['send 100']],
    ['higher priority', {}, heard(150), ['master→backup higher-priority', ...leaving, 'notify backup 100']],
    [
      'equal, higher address',
      {},
      heard(100),
      ['master→backup higher-address', ...leaving, 'notify backup 100'],
    ],
    [
      'higher, higher_prio_send_advert',
      { answersHigherPriority: true },
      heard(150),
      ['send 100', 'master→backup higher-priority', ...leaving, 'notify backup 100'],
    ],
    [
      'lower priority',
      {},
      heard(50),
      ['send 100', 'announce 5 lower-priority', 'notify master-rx-lower-priority 100'],
    ],
    [
      'equal, lower address',
      {},
      heard(100, lower),
      ['send 100', 'announce 5 lower-priority', 'notify master-rx-lower-priority 100'],
    ],
    [
      'lower, lower_prio_no_advert',
      { answersLowerPriority: false },
      heard(50),
      ['announce 5 lower-priority', 'notify master-rx-lower-priority 100'],
    ],
    [
      'nopreempt: no difference to a master',
      { preempt: false },
      heard(150),
      ['master→backup higher-priority', ...leaving, 'notify backup 100'],
    ],
  ] as const)('%s', (_, overrides, event, expected) => {
    expect(words(master(overrides).at(4, event))).toEqual(expected);
  });

  test('who gave way waits for the whole master-down interval; v3 by the interval of the winner', () => {
    const v2 = master();
    v2.at(4, heard(150, higher, seconds(3)));
    expect(v2.deadline_s).toBe(7.609375);
    const v3 = master({ version: 3 });
    v3.at(4, heard(150, higher, seconds(3)));
    expect(v3.deadline_s).toBe(4 + 9 + (156 * 3) / 256);
  });

  test('an answer counts as the next advert', () => {
    const instance = master();
    instance.at(4, heard(50));
    expect(instance.deadline_s).toBe(5);
    const quiet = master({ answersLowerPriority: false });
    quiet.at(4, heard(50));
    expect(quiet.deadline_s).toBe(4.609375);
  });
});

describe('two masters', () => {
  test('an advert that crossed ours is no alarm', () => {
    const instance = master();
    expect(words(instance.at(start_s + 0.5, heard(50)))).not.toContain('report error second-master');
  });

  test('said once, announced against, and announced again when it is over', () => {
    const instance = master();
    instance.until(9);
    expect(words(instance.at(9.5, heard(50)))).toContain('report error second-master');
    expect(words(instance.at(10.5, heard(50)))).toEqual([
      'send 100',
      'announce 5 lower-priority',
      'notify master-rx-lower-priority 100',
    ]);
    expect(instance.until(16).filter((word) => !word.startsWith('send'))).toEqual([
      'report warning second-master-gone',
      'announce 5 healed',
      'announce 5 lower-priority',
    ]);
  });

  test('one that lets go by priority 0 is gone at once', () => {
    const instance = master();
    instance.until(9);
    instance.at(9.5, heard(50));
    expect(words(instance.at(9.6, heard(0)))).toEqual(['send 100']);
    expect(words(instance.deadline())).toEqual(['report warning second-master-gone', 'announce 5 healed']);
  });

  test('one whose adverts are refused is told too, and never obeyed', () => {
    const instance = master();
    const rejected = { kind: 'rejected', reason: 'addresses', source: higher } as const;
    expect(words(instance.at(4, rejected))).toEqual(['report error second-master']);
    expect(instance.at(4.5, rejected)).toEqual([]);
    expect(instance.state.kind).toBe('master');
    expect(instance.deadline_s).toBe(4.609375);
  });

  test.each(['ttl', 'own-advert', 'length', 'type', 'virtual-router-id'] as const)(
    '%s is no master',
    (reason) => {
      expect(master().at(4, { kind: 'rejected', reason, source: higher })).toEqual([]);
    },
  );
});

describe('owner', () => {
  const owner = { startState: 'master', priority: 255 } as const;

  test('against a second owner the higher address stays; the other yields and counts as 254', () => {
    const loser = master(owner);
    expect(words(loser.at(0.5, heard(255, higher)))).toEqual([
      'report error second-owner',
      'master→backup second-owner',
      ...leaving,
      'notify backup 254',
    ]);
    const winner = master(owner);
    expect(words(winner.at(0.5, heard(255, lower)))).toEqual([
      'report error second-owner',
      'send 255',
      'announce 5 lower-priority',
      'notify master-rx-lower-priority 255',
    ]);
  });

  test('owner_ignore_adverts hears nobody, except a goodbye', () => {
    const instance = master({ ...owner, ownerIgnoresAdverts: true });
    expect(instance.at(0.5, heard(255))).toEqual([]);
    expect(instance.at(0.5, heard(100))).toEqual([]);
    expect(words(instance.at(0.5, heard(0)))).toEqual(['send 255']);
  });
});

describe('stall', () => {
  test('within the lease nothing is lost', () => {
    expect(words(master().at(start_s + 2.5, { kind: 'deadline' }))).toEqual(['send 100']);
  });

  test('beyond it somebody else may be master: give up, and listen for an interval', () => {
    const instance = master();
    expect(words(instance.at(60, { kind: 'deadline' }))).toEqual([
      'report error stalled',
      'send 0',
      'master→backup stalled',
      ...leaving,
      'notify backup 100',
    ]);
    expect(instance.deadline_s).toBe(61.609375);
  });

  test('the repeater that stops speaking ends it too', () => {
    const instance = master();
    expect(words(instance.at(5, { kind: 'lease-expired' }))).toContain('master→backup stalled');
  });
});

test.each([
  [
    'fault',
    { kind: 'tracking', priority: 100, faults: ['script s failed'] },
    ['master→fault fault', 'send 0', ...leaving, 'notify fault 100'],
  ],
  [
    'a member in fault',
    { kind: 'group-fault', router: 'VI_2' },
    ['master→fault fault', 'send 0', ...leaving, 'notify fault 100'],
  ],
  ['stop', { kind: 'stop' }, ['master→initialize stop', 'send 0', ...leaving, 'notify stop 100']],
  ['release', { kind: 'release' }, ['master→releasing stop', 'send 0']],
  ['switchover', { kind: 'switchover' }, ['master→releasing switchover', 'send 0']],
  [
    'group to backup',
    { kind: 'group', to: 'backup', router: 'VI_2' },
    ['master→backup group', ...leaving, 'notify backup 100'],
  ],
  ['group to master', { kind: 'group', to: 'master', router: 'VI_2' }, []],
  ['group-announce', { kind: 'group-announce' }, ['announce 5 lower-priority']],
  ['tracking, lower priority', { kind: 'tracking', priority: 80, faults: [] }, ['notify priority 80']],
] as const)('master, %s', (_, event, expected) => {
  expect(words(master().at(4, event))).toEqual(expected);
});

test('a changed priority stands in the next advert', () => {
  const instance = master();
  instance.at(4, { kind: 'tracking', priority: 80, faults: [] });
  expect(words(instance.deadline())).toEqual(['send 80']);
});

describe('releasing for a stop', () => {
  test('keeps addresses and forwarding until the successor is heard', () => {
    const instance = master();
    instance.at(4, { kind: 'release' });
    expect(instance.at(4.1, heard(0))).toEqual([]);
    expect(words(instance.at(4.6, heard(50)))).toEqual([
      'releasing→initialize taken-over',
      ...leaving,
      'notify stop 100',
    ]);
  });

  test('says priority 0 again after an interval, and ends when the budget has passed', () => {
    const instance = master();
    instance.at(4, { kind: 'release' });
    expect(instance.deadline_s).toBe(5);
    expect(words(instance.deadline())).toEqual(['send 0']);
    expect(words(instance.deadline())).toEqual(['send 0']);
    expect(instance.deadline_s).toBe(6.5);
    expect(words(instance.deadline())).toEqual([
      'report warning nobody-took-over',
      'releasing→initialize nobody-took-over',
      'send 0',
      ...leaving,
      'notify stop 100',
    ]);
  });
});

describe('switchover', () => {
  test('stands by once the peer is heard, and leaves it alone although ours is the higher priority', () => {
    const instance = master();
    instance.at(4, { kind: 'switchover' });
    expect(words(instance.at(4.6, heard(50)))).toEqual([
      'releasing→backup taken-over',
      ...leaving,
      'notify backup 100',
    ]);
    for (const at of [5.6, 6.6, 7.6, 8.6, 9.6]) expect(instance.at(at, heard(50))).toEqual([]);
    expect(instance.state).toMatchObject({ kind: 'backup', preemption: { kind: 'held' } });
  });

  test('the hold ends when the peer dies, or when it is lifted', () => {
    const dies = master();
    dies.at(4, { kind: 'switchover' });
    dies.at(4.6, heard(50));
    expect(words(dies.deadline())[0]).toBe('backup→master silence');
    const lifted = master();
    lifted.at(4, { kind: 'switchover' });
    lifted.at(4.6, heard(50));
    lifted.at(5, { kind: 'allow-preemption' });
    expect(words(lifted.at(5.6, heard(50)))).toEqual(['report info lower-priority-discarded']);
  });

  test('goes back when nobody takes over: nothing was removed, so nothing is added', () => {
    const instance = master();
    instance.at(4, { kind: 'switchover' });
    instance.at(5, { kind: 'deadline' });
    instance.at(6, { kind: 'deadline' });
    expect(words(instance.deadline())).toEqual([
      'report error switchover-failed',
      'releasing→master nobody-took-over',
      'send 100',
      'announce 5 master',
    ]);
  });

  test.each([
    ['release', { kind: 'release' }, []],
    ['switchover again', { kind: 'switchover' }, []],
    ['start', { kind: 'start' }, []],
    ['stop', { kind: 'stop' }, ['releasing→initialize stop', 'send 0', ...leaving, 'notify stop 100']],
    [
      'fault',
      { kind: 'tracking', priority: 100, faults: ['x'] },
      ['releasing→fault fault', 'send 0', ...leaving, 'notify fault 100'],
    ],
    [
      'group to master',
      { kind: 'group', to: 'master', router: 'VI_2' },
      ['releasing→master group', 'send 100', 'announce 5 master'],
    ],
    ['group to backup', { kind: 'group', to: 'backup', router: 'VI_2' }, []],
    [
      'lease-expired',
      { kind: 'lease-expired' },
      ['report error stalled', 'send 0', 'releasing→backup stalled', ...leaving, 'notify backup 100'],
    ],
  ] as const)('meanwhile %s', (_, event, expected) => {
    const instance = master();
    instance.at(4, { kind: 'switchover' });
    expect(words(instance.at(4.2, event))).toEqual(expected);
  });
});

test('addresses compare as unsigned numbers in network order', () => {
  const order = ['9.255.255.255', '10.0.0.0', '10.0.0.200', '10.0.1.0', '200.0.0.0'].map(ip);
  for (const [i, a] of order.entries()) {
    for (const [j, b] of order.entries()) expect(Math.sign(compareAddresses(a, b))).toBe(Math.sign(i - j));
  }
  expect(compareAddresses(ip('fe80::ff'), ip('fe80::1:0'))).toBeLessThan(0);
  expect(advert(1).source).toBe(higher);
});

test('a flood of losing adverts is answered one by one, and announced against once a second', () => {
  const instance = master();
  const said: string[] = [];
  for (let i = 0; i < 250; i++) said.push(...words(instance.at(4 + i / 100, heard(50, lower))));
  const count = (word: string) => said.filter((one) => one.startsWith(word)).length;
  expect([count('send'), count('announce'), count('report')]).toEqual([250, 3, 1]);
});
