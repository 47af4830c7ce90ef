// Make before break: graceful stops and switchovers, what each side does and in which order, and that the address never
// has nobody who answers and forwards for it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { micros, seconds } from '../../../src/model/units.js';
import type { SwitchoverOutcome } from '../../../src/runtime/failover/switchover.js';
import { type FailoverDirector, FailoverLab, routerWith } from '../../support/failover-director.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

const vip = '10.0.0.100';
const strong = { routers: [routerWith({ priority: 150 })] };
const weak = { routers: [routerWith({ priority: 100 })] };

async function pair(): Promise<{ a: FailoverDirector; b: FailoverDirector }> {
  const a = await lab.start('a', 1, strong);
  const b = await lab.start('b', 2, weak);
  await lab.wait(6);
  lab.take();
  return { a, b };
}

/** Directors that forward for the address. */
const forwarders = (...all: readonly FailoverDirector[]) =>
  all.filter((one) => !one.standby().includes(vip)).map(({ name }) => name);

describe('a graceful stop', () => {
  test('priority 0 first; all else when the successor is heard, and forwarding last', async () => {
    const { a } = await pair();
    await a.stop();
    expect(lab.take('announce')).toEqual([
      'a: advert 0',
      'b: advert 100 repeated',
      `a: remove ${vip}`,
      'a: no will',
      'a: notify VI_1 STOP',
      'b: forward all',
      `b: will of ${vip}`,
      `b: add ${vip}`,
      'b: notify VI_1 MASTER',
      `a: standby ${vip}`,
    ]);
  });

  test('somebody forwards at any time, and the guardian has nothing left to do', async () => {
    const { a, b } = await pair();
    let isOver = false;
    void a.director.stop().then(() => {
      isOver = true;
    });
    while (!isOver) {
      await lab.wait(0.005);
      expect(forwarders(a, b)).not.toEqual([]);
      if (!isOver) expect(lab.holdersOf(vip)).toHaveLength(1);
    }
    expect(a.addresses()).toEqual([]);
    a.network.die();
    await lab.wait(1);
    expect(lab.wire.adverts.some(({ by }) => by === 'guardian')).toBe(false);
  });

  test('with nobody there it is bounded by the release budget', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(5);
    lab.take();
    const took = await a.stop();
    expect(took).toBeGreaterThanOrEqual(seconds(2.5));
    expect(took).toBeLessThan(seconds(2.6));
    expect(lab.take()).toEqual([
      'a: advert 0',
      'a: advert 0',
      'a: advert 0',
      'a: advert 0',
      `a: remove ${vip}`,
      'a: no will',
      `a: standby ${vip}`,
      'a: notify VI_1 STOP',
    ]);
    expect(a.logged.some((line) => line.includes('no other director took over'))).toBe(true);
  });

  test('a backup goes at once', async () => {
    const { b } = await pair();
    expect(await b.stop()).toBeLessThan(seconds(0.1));
    expect(lab.take()).toEqual(['b: notify VI_1 STOP']);
  });

  test('a table that is never published does not hold it up for ever', async () => {
    const { a } = await pair();
    a.dataplane.publish = () => new Promise(() => {});
    expect(await a.stop()).toBeLessThan(seconds(10));
    expect(a.addresses()).toEqual([]);
    expect(a.logged.some((line) => line.includes('takes too long'))).toBe(true);
  });
});

test('whoever is master again before it has let go of forwarding goes on with it', async () => {
  const quick = { version: 3, advertInterval: micros(50_000), priority: 100 } as const;
  const a = await lab.start('a', 1, { routers: [routerWith(quick)] });
  await lab.wait(1);
  const b = await lab.start('b', 2, { routers: [routerWith({ ...quick, priority: 200 })] });
  while (a.state() !== 'backup') await lab.wait(0.01);
  b.network.die();
  await lab.wait(0.1);
  expect(a.state()).toBe('master');
  for (let i = 0; i < 50; i++) {
    expect(a.standby()).toEqual([]);
    await lab.wait(0.02);
  }
});

describe('a switchover', () => {
  async function result(work: Promise<readonly SwitchoverOutcome[]>): Promise<readonly SwitchoverOutcome[]> {
    let outcomes: readonly SwitchoverOutcome[] | undefined;
    void work.then((value) => {
      outcomes = value;
    });
    while (outcomes === undefined) await lab.wait(0.01);
    return outcomes;
  }

  test('ends when the peer is heard, and says how long that took', async () => {
    const { a, b } = await pair();
    const outcomes = await result(a.director.switchover('VI_1'));
    expect(outcomes).toEqual([
      {
        router: 'VI_1',
        kind: 'taken-over',
        by: '10.0.0.2',
        took: 609_375,
        text: '10.0.0.2 took over after 0.609 s',
      },
    ]);
    await lab.wait(1);
    expect([a.state(), b.state()]).toEqual(['backup', 'master']);
    expect(forwarders(a, b)).toEqual(['b']);
  });

  test('the better priority does not take it back by itself, until it may', async () => {
    const { a, b } = await pair();
    await result(a.director.switchover());
    await lab.wait(20);
    expect([a.state(), b.state()]).toEqual(['backup', 'master']);
    expect(a.view().why).toContain('since a switchover');
    expect(a.director.allowPreemption('VI_1')).toEqual(['VI_1']);
    await lab.wait(4);
    expect([a.state(), b.state()]).toEqual(['master', 'backup']);
  });

  test('it takes over all the same when the other dies', async () => {
    const { a, b } = await pair();
    await result(a.director.switchover());
    await lab.wait(2);
    b.network.die();
    await lab.wait(1);
    expect(a.state()).toBe('master');
  });

  test('nobody takes over: it goes back, and nothing has been let go', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(5);
    lab.take();
    const outcomes = await result(a.director.switchover());
    expect(outcomes).toMatchObject([
      {
        kind: 'nobody-took-over',
        text: 'nobody took over within 2.500 s; this director is master again',
        by: undefined,
      },
    ]);
    expect(lab.take('announce')).toEqual([
      'a: advert 0',
      'a: advert 0',
      'a: advert 0',
      'a: advert 150 repeated',
    ]);
    expect(a.view().counters).toMatchObject({ becameMaster: 1, releasedMaster: 0 });
  });

  test('one that is not master refuses in words, and one that nobody knows', async () => {
    const { b } = await pair();
    await expect(b.director.switchover('VI_1')).rejects.toMatchObject({
      code: 'NOT_MASTER',
      message:
        'a switchover starts at the master; here VI_1 is in state backup; the master is 10.0.0.1: run it there',
    });
    await expect(b.director.switchover()).rejects.toMatchObject({ code: 'NOT_MASTER' });
    await expect(b.director.switchover('VI_9')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'there is no virtual router or sync group VI_9: did you mean VI_1?',
    });
    expect(() => b.director.allowPreemption('VI_9')).toThrow('there is no virtual router');
    expect(lab.take()).toEqual([]);
  });

  test('without waiting the answer comes at once', async () => {
    const { a } = await pair();
    expect(await a.director.switchover('VI_1', false)).toMatchObject([{ router: 'VI_1', kind: 'waiting' }]);
    expect(a.state()).toBe('releasing');
  });

  test('a stop meanwhile interrupts it', async () => {
    const a = await lab.start('a', 1, strong);
    await lab.wait(5);
    const outcome = a.director.switchover();
    await a.stop();
    expect(await outcome).toMatchObject([{ kind: 'nobody-took-over' }]);
  });

  test('a fault meanwhile interrupts it', async () => {
    const { a } = await pair();
    const outcome = a.director.switchover();
    a.network.setLink({ name: 'eth0', isUp: false });
    expect((await result(outcome))[0]?.text).toMatch(/^it ended in state fault after/);
  });
});

test('a director without virtual routers knows nobody to switch over', async () => {
  const a = await lab.start('a', 1, { routers: [], services: [vip] });
  await expect(a.director.switchover()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(a.director.virtualRouters().virtualRouters).toEqual([]);
  expect(a.standby()).toEqual([]);
});
