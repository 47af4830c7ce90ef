// What status says of a virtual router: state, why, since when, and what it waits for.
import { expect, test } from 'vitest';
import { seconds } from '../../../src/model/units.js';
import { describeState } from '../../../src/vrrp/describe.js';
import { createInstance } from '../../../src/vrrp/state.js';
import { backup, heard, type Instance, ip, lower, master, router } from './fixtures.js';

const say = (instance: Instance) => describeState(instance.state, instance.now, instance.policy.router);

function after(instance: Instance, ...events: readonly (readonly [number, Parameters<Instance['at']>[1]])[]) {
  for (const [at, event] of events) instance.at(at, event);
  return say(instance);
}

const waiting = { ...createInstance(router(), seconds(0)), faults: ['script s has not run yet'] };

const answered = { kind: 'address-answered', address: ip('10.0.0.100'), mac: '02:00:00:00:00:09' } as const;

test.each([
  [
    describeState(waiting, seconds(2), router()),
    'initialize since 2.000 s: not started yet; script s has not run yet',
  ],
  [after(backup({ startupDelay: seconds(3) })), 'initialize since 0.000 s: started; starts in 3.000 s'],
  [after(backup()), 'backup since 0.000 s: started; no master heard yet; takes over in 3.609 s'],
  [
    after(backup(), [1, heard(150)]),
    'backup since 1.000 s: started; follows 10.0.0.2 (priority 150); after a silence, takes over in 3.609 s',
  ],
  [
    after(backup({ preempt: false }), [1, heard(50)]),
    'backup since 1.000 s: started; follows 10.0.0.2 (priority 50), below us: nopreempt leaves it alone until it is silent',
  ],
  [
    after(backup({ preemptDelay: seconds(9) }), [1, heard(50)], [2, heard(50)]),
    'backup since 2.000 s: started; follows 10.0.0.2 (priority 50), below us: preempt_delay leaves it alone for 8.000 s more',
  ],
  [
    after(backup(), [1, heard(50)]),
    'backup since 1.000 s: started; 10.0.0.2 (priority 50) is below us (100); takes over in 2.609 s',
  ],
  [
    after(backup(), [1, heard(150)], [1.5, heard(0)]),
    'backup since 1.500 s: started; 10.0.0.2 gave up; takes over in 0.609 s',
  ],
  [after(master()), 'master since 0.000 s: no master was heard for 3.609 s; adverts priority 100'],
  [
    after(master(), [6, heard(50, lower)]),
    'master since 2.391 s: no master was heard for 3.609 s; 10.0.0.0 is master too: the addresses are held twice',
  ],
  // Its last advert may have crossed our first.
  [
    after(master(), [4, heard(50, lower)]),
    'master since 0.391 s: no master was heard for 3.609 s; adverts priority 100',
  ],
  [
    after(master(), [4, answered], [5, { kind: 'deadline' }]),
    'master since 1.391 s: no master was heard for 3.609 s; 10.0.0.100 is also at 02:00:00:00:00:09 (seen 1.000 s ago): is VRRP, IP protocol 112, blocked between the directors, or does a real server answer for it (arp_ignore)?; adverts priority 100',
  ],
  [
    after(master(), [4, { kind: 'switchover' }]),
    'releasing since 0.000 s: switchover asked for; forwards until a successor is heard, at most 2.500 s more',
  ],
  [
    after(master(), [4, { kind: 'switchover' }], [4.6, heard(50)]),
    'backup since 0.000 s: 10.0.0.2 took over; follows 10.0.0.2 (priority 50), below us, since a switchover; it stays until it is silent',
  ],
  [
    after(master(), [4, { kind: 'tracking', priority: 100, faults: ['script s failed'] }]),
    'fault since 0.000 s: script s failed',
  ],
  [after(backup(), [1, { kind: 'stop' }]), 'initialize since 0.000 s: stopping'],
])('%s', (said, expected) => {
  expect(said).toBe(expected);
});
