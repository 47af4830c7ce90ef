// What a reload, or changes through the API, do to the table that the data plane gets.

import { afterEach, describe, expect, test } from 'vitest';
import { DirectorError } from '../../../src/errors.js';
import { micros, seconds } from '../../../src/model/units.js';
import type { ChangeRequest } from '../../../src/runtime/changes.js';
import { sliceBudget } from '../../../src/runtime/slices.js';
import { config, endpoint, start, stopAll, TestDirector, vip, web } from '../../support/test-director.js';

afterEach(stopAll);

describe('reload', () => {
  test('a bad file changes nothing and says all that is wrong', async () => {
    const f = await start(config([1, 2]));
    const bad = config([1], { service: 'lb_algoo rr \n quorum many' });
    await expect(f.director.reload({ configText: bad })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      diagnostics: [{ severity: 'error' }, { severity: 'error' }],
    });
    expect(f.table()).toBe('2 1');
    expect(f.publishCount).toBe(1);
    expect(f.director.status().generation).toBe(1);
  });

  test('nothing new: the generation in force, and no publish', async () => {
    const f = await start(config([1, 2]));
    expect(await f.director.reload()).toMatchObject({ generation: 1, changes: [], diagnostics: [] });
    expect(f.publishCount).toBe(1);
  });

  test('whom services take changes by itself, and the same clients again are no change', async () => {
    const text = (lists: string) => config([1, 2], { outside: `director { \n ${lists} \n }` });
    const f = await start(text('deny 10.0.0.0/8'));
    expect(f.dataplane.current.clients).toEqual({ allow: [], deny: ['10.0.0.0/8'] });
    expect(await f.reload(text('deny fd00::/8 \n deny 10.0.0.0/8'))).toEqual([
      'clients: deny fd00::/8 added',
    ]);
    expect(f.dataplane.current.clients.deny).toEqual(['10.0.0.0/8', 'fd00::/8']);
    const published = f.publishCount;
    expect(await f.reload(text('deny 10.0.0.0/8 fd00::/8'))).toEqual([]);
    expect(f.publishCount).toBe(published);
    // A verdict publishes them with the rest.
    f.probes.dead.add('10.1.0.1:80');
    await f.clock.advance(seconds(11));
    expect(f.dataplane.current.clients.deny).toEqual(['10.0.0.0/8', 'fd00::/8']);
    await f.reload(config([1, 2]));
    expect(f.dataplane.current.clients).toEqual({ allow: [], deny: [] });
  });

  test('clients of a table that the data plane refuses are not in force later', async () => {
    const text = (lists: string) => config([1, 2], { outside: `director { \n ${lists} \n }` });
    const f = await start(text('deny 10.0.0.0/8'));
    f.dataplane.publishFailure = new DirectorError('LIMIT_REACHED', 'no room');
    await expect(f.reload(text('allow 192.0.2.0/24'))).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    f.dataplane.publishFailure = undefined;
    await f.reload(config([1], { outside: 'director { \n deny 10.0.0.0/8 \n }' }));
    expect(f.table()).toBe('2:0(removed) 1');
    expect(f.dataplane.current.clients).toEqual({ allow: [], deny: ['10.0.0.0/8'] });
  });

  test('new servers come to the head in the order of the file', async () => {
    const f = await start(config([1, 2]));
    const changes = await f.reload(config([1, 5, 2, 4]));
    expect(f.table()).toBe('4 5 2 1');
    expect(changes).toEqual([
      'service tcp 10.0.0.1:80: server 10.1.0.5:80 added: nat, weight 1',
      'service tcp 10.0.0.1:80: server 10.1.0.4:80 added: nat, weight 1',
      'service tcp 10.0.0.1:80: servers reordered',
    ]);
  });

  test('weights change in place', async () => {
    const f = await start(config([1, 2]));
    await f.reload(config([1, 2], { server: 'weight 5' }));
    expect(f.table()).toBe('2:5 1:5');
  });

  test('a removed server is quiesced until its connections are gone', async () => {
    const f = await start(config([1, 2]));
    f.dataplane.setCounts(web, endpoint(1), { active: 2, inactive: 1 });
    await f.reload(config([2]));
    expect(f.table()).toBe('2 1:0(removed)');
    await f.clock.advance(seconds(60));
    expect(f.table()).toBe('2 1:0(removed)');
    f.dataplane.setCounts(web, endpoint(1), { active: 0, inactive: 0 });
    await f.clock.advance(seconds(2));
    expect(f.table()).toBe('2');
    expect(f.events).toContainEqual({ kind: 'drained', service: web, server: endpoint(1) });
  });

  test('a quiesced server that is back in the file is the newest, as in the kernel', async () => {
    const f = await start(config([1, 2]));
    f.dataplane.setCounts(web, endpoint(1), { active: 2 });
    await f.reload(config([2]));
    await f.reload(config([1, 2]));
    expect(f.table()).toBe('1 2');
    await f.clock.advance(seconds(10));
    expect(f.table()).toBe('1 2');
  });

  test('a removed server that was down leaves at once', async () => {
    const f = await start(config([1, 2]));
    f.probes.dead.add('10.1.0.1:80');
    await f.clock.advance(seconds(11));
    await f.reload(config([2]));
    expect(f.table()).toBe('2');
  });

  test('a removed service drains, then goes', async () => {
    const f = await start(config([1, 2]));
    f.dataplane.setCounts(web, endpoint(1), { inactive: 1 });
    await f.reload('director { \n workers 1 \n }');
    expect(f.table()).toBe('draining 2(removed) 1(removed)');
    await f.clock.advance(seconds(4));
    expect(f.table()).toBe('draining 2(removed) 1(removed)');
    expect(f.probes.pending).toEqual([]);
    f.dataplane.setCounts(web, endpoint(1), { inactive: 0 });
    await f.clock.advance(seconds(2));
    expect(f.table()).toBe('none');
    expect(await f.director.services()).toEqual([]);
  });

  test('many removed services without connections leave together, however long the look and whatever changes', async () => {
    const ports = Array.from({ length: 6 }, (_, i) => 8000 + i);
    const others = ports.map((port) => config([1]).replaceAll(' 80 {', ` ${port} {`)).join('\n');
    const f = await start(config([1, 2]) + others);
    // Each row takes a slice of its own, and a server of the service that stays dies or comes back in between.
    const services = f.dataplane.services.bind(f.dataplane);
    f.dataplane.services = function* () {
      for (const row of services()) {
        f.clock.spend(sliceBudget);
        if (!f.probes.dead.delete('10.1.0.2:80')) f.probes.dead.add('10.1.0.2:80');
        yield row;
      }
    };
    await f.reload(config([1, 2], { service: 'delay_loop 1' }));
    const published = f.publishCount;
    await f.clock.advance(seconds(3));
    expect(f.dataplane.current.services.map(({ id }) => id)).toEqual([web]);
    expect(f.publishCount - published).toBeLessThan(6);
  });

  test('a draining service that is back in the file takes connections again', async () => {
    const f = await start(config([1, 2]));
    f.dataplane.setCounts(web, endpoint(1), { inactive: 1 });
    await f.reload('director { \n workers 1 \n }');
    await f.reload(config([1, 2]));
    expect(f.table()).toBe('2 1');
    f.probes.dead.add('10.1.0.2:80');
    await f.clock.advance(seconds(11));
    expect(f.table()).toBe('1');
  });

  test('a dead server stays dead over a reload that changes its check', async () => {
    const f = await start(config([1, 2]));
    f.probes.dead.add('10.1.0.1:80');
    await f.clock.advance(seconds(11));
    await f.reload(config([1, 2], { service: 'delay_loop 4' }));
    expect(f.table()).toBe('2');
    f.probes.dead.clear();
    await f.clock.advance(seconds(4));
    expect(f.table()).toBe('1 2');
  });

  test('a probe under way runs on over a reload that does not concern it', async () => {
    const f = await start(config([1, 2]), ({ probes }) => {
      probes.isManual = true;
    });
    expect(f.probes.pending.length).toBe(2);
    await f.reload(config([1, 2, 3]));
    await f.clock.advance(micros(0));
    expect(f.probes.pending.map(({ policy }) => policy.question.connectAddress)).toEqual([
      '10.1.0.1',
      '10.1.0.2',
      '10.1.0.3',
    ]);
    await f.reload(config([3]));
    expect(f.probes.pending.map(({ policy }) => policy.question.connectAddress)).toEqual(['10.1.0.3']);
  });

  test('what the data plane refuses changes nothing', async () => {
    const f = await start(config([1, 2]));
    f.dataplane.publishFailure = new DirectorError('LIMIT_REACHED', 'too many services');
    await expect(f.reload(config([1, 2, 3]))).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
    f.dataplane.publishFailure = undefined;
    expect(f.table()).toBe('2 1');
    expect(f.director.status().isCurrent).toBe(true);
    expect(f.director.config().virtualServers[0]?.realServers.length).toBe(2);
    await f.director.reload();
    expect(f.director.status().isCurrent).toBe(true);
  });

  test('a configuration that is refused leaves no trace: what follows is as if it had never been', async () => {
    const f = await start(config([1, 2]));
    const ports = Array.from({ length: 5 }, (_, i) => 8000 + i);
    const many = ports.map((port) => config([7]).replace(`${vip} 80 {`, `${vip} ${port} {`));
    const publish = f.dataplane.publish.bind(f.dataplane);
    f.dataplane.publish = async (table) => {
      if (table.services.length > 3) throw new DirectorError('LIMIT_REACHED', 'too many services');
      return publish(table);
    };
    const started = f.probes.startedCount;
    await expect(f.reload([config([2, 3]), ...many].join('\n'))).rejects.toMatchObject({
      code: 'LIMIT_REACHED',
    });
    expect(f.table()).toBe('2 1');
    await f.clock.advance(seconds(9));
    expect(f.probes.startedCount).toBe(started);
    f.probes.dead.add('10.1.0.2:80');
    await f.clock.advance(seconds(12));
    expect(f.table()).toBe('1');
    expect(f.director.status().isCurrent).toBe(true);
    await f.reload(config([1, 2]));
    f.probes.dead.clear();
    await f.clock.advance(seconds(12));
    expect(f.table()).toBe('2 1');
    expect(f.dataplane.current.services).toHaveLength(1);
  });

  test('verdicts that fall while a configuration is planned and taken count', async () => {
    const f = await start(config([1, 2, 3]), ({ probes }) => {
      probes.isManual = true;
    });
    for (const probe of [...f.probes.pending]) probe.answer({ kind: 'passed' });
    const publish = f.dataplane.publish.bind(f.dataplane);
    const fail = () => {
      for (const probe of [...f.probes.pending]) probe.answer({ kind: 'failed', reason: 'gone' });
    };
    // One retry, then the second failure falls while the data plane takes the new table.
    await f.clock.advance(seconds(10));
    fail();
    await f.clock.advance(seconds(1));
    f.dataplane.publish = async (table) => {
      f.dataplane.publish = publish;
      fail();
      return publish(table);
    };
    await f.reload(config([1, 2, 3, 4]));
    await f.clock.advance(micros(0));
    expect(f.table()).toBe('4');
    expect(f.events.filter(({ kind }) => kind === 'server-down')).toHaveLength(3);
  });

  test('two reloads at once happen one after the other', async () => {
    const f = await start(config([1]));
    await Promise.all([f.reload(config([1, 2])), f.reload(config([1, 2, 3]))]);
    expect(f.table()).toBe('3 2 1');
  });

  test('a setting that is read only at start is said', async () => {
    const f = await start(config([1]));
    await f.reload(config([1], { outside: 'director { \n connections 5000 \n }' }));
    expect(f.logged).toContain('the new value of connections takes effect at the next start');
  });
});

describe('changes', () => {
  const set = (host: number, fields: object): ChangeRequest =>
    ({ kind: 'update-server', service: web, server: endpoint(host), set: fields }) as ChangeRequest;

  test('are applied, and stay over a reload, or are dropped', async () => {
    const f = await start(config([1, 2]));
    const { changes } = await f.director.apply([
      set(1, { weight: 0 }),
      { kind: 'add-server', service: web, server: { ...endpoint(3), method: 'nat' } },
    ]);
    expect(f.table()).toBe('3 2 1:0');
    expect(changes.length).toBe(2);
    expect(f.director.status().runTimeChanges).toEqual(changes);
    expect(await f.director.reload()).toMatchObject({ changes: [], kept: changes, undone: [] });
    expect(f.table()).toBe('3 2 1:0');
    const dropped = await f.director.reload(undefined, 'drop');
    expect(dropped).toMatchObject({ kept: [], undone: changes });
    expect(f.table()).toBe('3:0(removed) 2 1');
    expect(f.director.status().runTimeChanges).toEqual([]);
    expect(f.logged.join('\n')).toContain(`no longer in force: ${changes[0]}`);
  });

  test('set what they changed and no more: the rest is that of the newer file', async () => {
    const f = await start(config([1, 2]));
    await f.director.apply([set(1, { weight: 0 })]);
    const newer = config([1, 2, 3], { server: 'uthreshold 7' });
    await f.director.reload({ configText: newer });
    const [row] = f.dataplane.current.services;
    const one = row?.destinations.find(({ address }) => address.endsWith('.1'));
    expect(one).toMatchObject({ weight: 0, upperThreshold: 7 });
    expect(f.table()).toBe('3 2 1:0');
  });

  test('of what a newer file no longer has are undone, and told', async () => {
    const f = await start(config([1, 2]));
    const { changes } = await f.director.apply([set(1, { weight: 0 }), set(2, { weight: 5 })]);
    const result = await f.director.reload({ configText: config([2]) });
    expect(result.undone).toEqual([changes[0]]);
    expect(result.kept).toEqual([changes[1]]);
    expect(f.table()).toBe('2:5 1:0(removed)');
  });

  test('that clear stay cleared over a reload, and what came instead has no checks', async () => {
    const f = await start(config([1, 2]));
    await f.director.apply([
      { kind: 'clear' },
      { kind: 'add-service', service: web, servers: [{ ...endpoint(2), method: 'nat', weight: 9 }] },
    ]);
    await f.director.reload();
    expect(f.table()).toBe('2:9 1:0(removed)');
    expect(f.director.status().checkerCount).toBe(0);
    await f.director.reload(undefined, 'drop');
    expect(f.director.status().checkerCount).toBe(2);
  });

  test('that edit a service leave its checks, its quorum and its servers alone', async () => {
    const f = await start(config([1, 2], { service: 'quorum 2' }));
    const edit: ChangeRequest = {
      kind: 'update-service',
      service: web,
      set: { scheduler: 'wlc', flags: [] },
    };
    await f.director.apply([edit]);
    expect(f.director.config().virtualServers[0]).toMatchObject({ scheduler: 'wlc', quorum: 2 });
    expect(f.director.status().checkerCount).toBe(2);
    expect(f.table()).toBe('2 1');
  });

  test('at the start are in force with the first table, or the start fails', async () => {
    const { director, dataplane } = new TestDirector(config([1]));
    await director.start([set(1, { weight: 4 }), { kind: 'set-timeouts', udp_s: 30 }]);
    expect(dataplane.published.length).toBe(1);
    expect(dataplane.current.policy.udpTimeout_s).toBe(30);
    expect(director.status().runTimeChanges.length).toBe(2);
    await director.stop();
    const other = new TestDirector(config([1]));
    await expect(other.director.start([set(7, { weight: 4 })])).rejects.toMatchObject({
      reason: 'no-server',
    });
    expect(other.publishCount).toBe(0);
  });

  test('are planned: what a reload would do, whose connections it touches, and nothing happens', async () => {
    const f = await start(config([1, 2]));
    f.dataplane.setCounts(web, endpoint(1), { active: 3, inactive: 4 });
    const { changes } = await f.director.apply([set(2, { weight: 7 })]);
    const published = f.publishCount;
    const plan = await f.director.plan({ configText: config([2, 3]) });
    expect(plan.changes).toEqual([
      { text: expect.stringContaining('server 10.1.0.1:80 removed'), connections: 7 },
      { text: expect.stringContaining('server 10.1.0.3:80 added'), connections: 0 },
    ]);
    expect(plan).toMatchObject({ kept: changes, undone: [], notAsWritten: [], leftOut: [] });
    const drop = await f.director.plan({ configText: config([1, 2]) }, 'drop');
    expect(drop).toMatchObject({ undone: changes, kept: [] });
    expect(drop.changes).toHaveLength(1);
    await expect(f.director.plan({ configText: 'nonsense' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    expect(f.publishCount).toBe(published);
    expect(f.table()).toBe('2:7 1');
  });

  test('are all or nothing', async () => {
    const f = await start(config([1, 2]));
    await expect(f.director.apply([set(1, { weight: 9 }), set(7, { weight: 9 })])).rejects.toThrow(
      'changes[1].server: there is no server 10.1.0.7:80 in tcp 10.0.0.1:80',
    );
    expect(f.table()).toBe('2 1');
  });

  test('timeouts are set, and those that are not named stay', async () => {
    const f = await start(config([1]));
    await f.director.apply([{ kind: 'set-timeouts', tcpFin_s: 60 }]);
    expect(f.director.status().timeouts).toEqual({ tcp_s: 900, tcpFin_s: 60, udp_s: 300 });
    expect(f.dataplane.current.policy.tcpFinTimeout_s).toBe(60);
  });

  test('a clear and what follows are one change: the table is never empty', async () => {
    const f = await start(config([1, 2]));
    const published = f.publishCount;
    await f.director.apply([
      { kind: 'clear' },
      { kind: 'add-service', service: web, servers: [{ ...endpoint(2), method: 'nat' }] },
    ]);
    expect(f.publishCount).toBe(published + 1);
    expect(f.table()).toBe('2 1:0(removed)');
    await expect(f.director.apply([{ kind: 'clear' }, { kind: 'zero', service: web }])).rejects.toMatchObject(
      {
        reason: 'no-service',
        index: 1,
      },
    );
    expect(f.table()).toBe('2 1:0(removed)');
  });

  test('a weight that is set while a checker has the server out counts when it is back', async () => {
    const f = await start(config([1, 2], { server: 'inhibit_on_failure' }));
    f.probes.dead.add('10.1.0.1:80');
    await f.clock.advance(seconds(30));
    expect(f.table()).toBe('2 1:0');
    await f.director.apply([set(1, { weight: 5 })]);
    expect(f.table()).toBe('2 1:0');
    f.probes.dead.clear();
    await f.clock.advance(seconds(30));
    expect(f.table()).toBe('2 1:5');
  });

  test.each([
    [[set(1, { weight: 70_000 })], 'changes[0].set.weight'],
    [[set(1, { colour: 'red' })], 'changes[0].set'],
    [
      [{ kind: 'remove-service', service: { ...web, address: '10.0.0' } }],
      'changes[0].service.address: not an IP address',
    ],
    [
      [{ kind: 'add-service', service: web }],
      'changes[0].service: the service tcp 10.0.0.1:80 exists already',
    ],
    [[{ kind: 'explode' }], 'changes[0].kind'],
    [[{ kind: 'add-service', service: { protocol: 'tcp', address: '10.0.0.9' } }], 'changes[0].service.port'],
    [
      [{ kind: 'add-service', service: { kind: 'any-port', protocol: 'tcp', address: '10.0.0.9' } }],
      'changes[0].set.persistence: a service of every port must be persistent',
    ],
    [
      [{ kind: 'add-server', service: web, server: { address: '10.1.0.9', port: 0 } }],
      'changes[0].server.port: must be from 1 to 65535 unless the service is of every port',
    ],
    [
      [
        {
          kind: 'update-service',
          service: web,
          set: { persistence: { timeout_s: 5, prefixLength: 33 } },
        },
      ],
      'changes[0].set.persistence.prefixLength: an IPv4 address has 32 bits',
    ],
    [
      [{ kind: 'remove-service', service: { kind: 'mark', mark: 3, family: 6 } }],
      'changes[0].service: a service by firewall mark is not in effect yet',
    ],
    [{}, 'changes: '],
    [[], 'changes: '],
  ])('%j is refused with its place', async (changes, message) => {
    const f = await start(config([1]));
    const refused = f.director.apply(changes as readonly ChangeRequest[]);
    await expect(refused).rejects.toMatchObject({
      code: 'INVALID_CHANGE',
      message: expect.stringContaining(message),
    });
  });
});
