// Failover in the control API and in Prometheus' text: routes, refusals, and what is in the answers.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answerAdmin } from '../../../src/runtime/admin-api.js';
import { type FailoverDirector, FailoverLab, routerWith } from '../../support/failover-director.js';

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

async function ask(a: FailoverDirector, method: string, path: string, body?: unknown) {
  const url = new URL(path, 'http://director');
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const request = { method, url, body: async () => text };
  const response = await answerAdmin(a.director, lab.clock, request);
  let answer = '';
  for await (const piece of response.body) answer += piece;
  const isJson = response.contentType === 'application/json';
  return { status: response.status, body: isJson ? JSON.parse(answer) : answer };
}

async function pair(): Promise<{ a: FailoverDirector; b: FailoverDirector }> {
  const a = await lab.start('a', 1, { routers: [routerWith({ priority: 150 })] });
  const b = await lab.start('b', 2, { routers: [routerWith({ priority: 100 })] });
  await lab.wait(6);
  return { a, b };
}

test('status has the virtual routers, their groups and the timeline', async () => {
  const { b } = await pair();
  const { status, body } = await ask(b, 'GET', '/v1/status');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    services: { total: 1, up: 1, standby: 1 },
    virtualRouters: [
      {
        name: 'VI_1',
        state: 'backup',
        basePriority: 100,
        master: { address: '10.0.0.1', priority: 150 },
        faults: [],
        counters: { received: 3, sent: 0 },
        budget: [{ what: 'planned stop or switchover', shortest: 0, longest: 0 }, {}, {}, {}],
        takeovers: [],
      },
    ],
    syncGroups: [],
    timeline: [{ from: 'initialize', to: 'backup', cause: 'started' }],
    strays: { short: 0, unknownRouter: 0, senders: [] },
  });
  const alone = await ask(b, 'GET', '/v1/virtual-routers');
  expect(Object.keys(alone.body)).toEqual([
    'virtualRouters',
    'syncGroups',
    'timeline',
    'strays',
    'scripts',
    'lostLineCount',
    'unsettledCount',
  ]);
  const services = await ask(b, 'GET', '/v1/services');
  expect(services.body.services[0]).toMatchObject({ id: { address: '10.0.0.100' }, isStandby: true });
});

describe('switchover', () => {
  test('by router, by group, without a body, and without waiting', async () => {
    const { a } = await pair();
    const waited = ask(a, 'POST', '/v1/switchover', { router: 'VI_1' });
    await lab.wait(1);
    expect(await waited).toMatchObject({
      status: 200,
      body: { outcomes: [{ router: 'VI_1', kind: 'taken-over', by: '10.0.0.2', took: 609_375 }] },
    });
    expect(await ask(a, 'POST', '/v1/preemption')).toEqual({
      status: 200,
      body: { virtualRouters: ['VI_1'] },
    });
    await lab.wait(5);
    expect(await ask(a, 'POST', '/v1/switchover', { wait: false })).toMatchObject({
      body: { outcomes: [{ kind: 'waiting' }] },
    });
  });

  test.each([
    ['/v1/switchover', { router: 'VI_9' }, 404, 'NOT_FOUND'],
    ['/v1/switchover', { group: 'G9' }, 404, 'NOT_FOUND'],
    ['/v1/switchover', { router: 'VI_1' }, 409, 'NOT_MASTER'],
    ['/v1/switchover', { rooter: 'VI_1' }, 400, 'BAD_PARAMETER'],
    ['/v1/switchover', { wait: 'yes' }, 400, 'BAD_PARAMETER'],
    ['/v1/switchover', '[', 400, 'BAD_JSON'],
    ['/v1/preemption', { router: 'VI_9' }, 404, 'NOT_FOUND'],
  ])('%s %j: %s %s', async (path, body, status, code) => {
    const { b } = await pair();
    expect(await ask(b, 'POST', path, body)).toMatchObject({ status, body: { error: { code } } });
  });
});

describe('dump', () => {
  test.each([
    ['', 'data', /^ VRRP Instance = VI_1$/m],
    ['?kind=data', 'data', /------< VRRP Topology >------/],
    ['?kind=stats', 'stats', /^VRRP Instance: VI_1$/m],
    ['?kind=json', 'json', /^\[\{"data":\{"iname":"VI_1"/],
  ])('%s', async (query, kind, text) => {
    const { a } = await pair();
    const { status, body } = await ask(a, 'GET', `/v1/dump${query}`);
    expect([status, body.kind]).toEqual([200, kind]);
    expect(body.text).toMatch(text);
  });

  test('of another kind', async () => {
    const { a } = await pair();
    expect(await ask(a, 'GET', '/v1/dump?kind=core')).toMatchObject({
      status: 400,
      body: { error: { code: 'BAD_PARAMETER', message: 'kind is one of data, stats, json' } },
    });
  });
});

test('metrics', async () => {
  const { a, b } = await pair();
  a.network.die();
  await lab.wait(1);
  const { body } = await ask(b, 'GET', '/metrics');
  const value = (sample: string) => /^(\S+) (\S+)$/m.exec(body.slice(body.indexOf(`\n${sample} `) + 1))?.[2];
  expect(value('uvs_virtual_router_state{router="VI_1",state="master"}')).toBe('1');
  expect(value('uvs_virtual_router_state{router="VI_1",state="backup"}')).toBe('0');
  expect(value('uvs_virtual_router_priority{router="VI_1"}')).toBe('100');
  expect(value('uvs_virtual_router_became_master_total{router="VI_1"}')).toBe('1');
  expect(value('uvs_virtual_router_priority_zero_received_total{router="VI_1"}')).toBe('1');
  expect(value('uvs_virtual_router_adverts_rejected_total{router="VI_1",reason="ttl"}')).toBe('0');
  expect(value('uvs_virtual_router_takeovers_total{router="VI_1"}')).toBe('1');
  expect(value('uvs_virtual_router_last_takeover_seconds{router="VI_1"}')).toBe('0.609375');
  expect(value('uvs_virtual_router_last_takeover_budget_seconds{router="VI_1"}')).toBe('0.609375');
  expect(value('uvs_service_standby{protocol="tcp",address="10.0.0.100",port="80"}')).toBe('0');
});

test('without virtual routers there are no such families', async () => {
  const a = await lab.start('a', 1, { routers: [], services: ['10.0.0.7'] });
  expect((await ask(a, 'GET', '/metrics')).body).not.toContain('virtual_router');
});
