// The instruments of the failover tests against keepalived alone (FRR: matrix/): what meter, captures and address watches say
// of one takeover fits together, and a cut cable does what its name says. A failure of the other failover tests then
// speaks about the director.

import { expect, test as plainTest } from 'vitest';
import {
  AddressWatch,
  Adverts,
  Cable,
  failoverNeeds,
  type Host,
  hasAddress,
  Keepalived,
  Lab,
  Meter,
  mastersAtOnce,
  nowMicros,
  outageOf,
  overlapMicros,
  parseHoldings,
  parseRecord,
  routerText,
  startHttp,
  topologies,
  vip,
  waitFor,
} from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...failoverNeeds);
/** Fast enough for a test, slow enough for a busy machine. */
const fast = { version: 3, interval_s: 0.2 } as const;

plainTest('an interruption is the longest time between two answers, whatever failed in it', () => {
  const record = parseRecord(
    [
      'clock 1000 5000',
      'reply 1000 1100 a',
      'reply 2000 2100 a',
      'failure 3000 3500 timeout',
      'failure 4000 4500 refused',
      'reply 9000 9100 b',
      'reply 9500 9600 b',
      'reply 9900 99',
    ].join('\n'),
  );
  expect(outageOf(record, 0, 7)).toEqual({
    gapMicros: 7000,
    lastBefore: 6100,
    firstAfter: 13_100,
    answered: 4,
    failures: { timeout: 1, refused: 1 },
    lateMicros: 7,
  });
  expect(outageOf(record, 13_200, 7).gapMicros).toBe(500);
});

plainTest('holdings of an address, and how long two hosts had it', () => {
  const line = (second: string, what: string) =>
    `[2026-01-02T03:04:${second}] ${what} 2: eth0 inet 10.1.0.100/32 x`;
  const start = new Date('2026-01-02T03:04:00').getTime() * 1000;
  const text = [
    line('01.000000', 'Deleted'),
    line('03.500000', ''),
    line('03.600000', ''),
    '[2026-01-02T03:04:04.0] 2: eth0 inet 10.1.0.10/32 x',
  ].join('\n');
  const left = parseHoldings(text, '10.1.0.100', true);
  expect(left).toEqual([
    { fromMicros: 0, toMicros: start + 1_000_000 },
    { fromMicros: start + 3_500_000, toMicros: Number.POSITIVE_INFINITY },
  ]);
  expect(overlapMicros(left, [{ fromMicros: start, toMicros: start + 4_000_000 }])).toBe(1_500_000);
});

plainTest('two masters at once are those that take turns, not those that follow each other', () => {
  const advert = (second: number, source: string, priority = 100) => ({
    atMicros: second * 1_000_000,
    source,
    priority,
    intervalMicros: 1_000_000,
    destination: '224.0.0.18',
    sourceMac: '',
    ttl: 255,
    version: 2 as const,
    virtualRouterId: 51,
    addresses: [],
    auth: undefined,
  });
  const handOver = [advert(1, 'a'), advert(2, 'a'), advert(2.1, 'a', 0), advert(2.7, 'b'), advert(3.7, 'b')];
  expect(mastersAtOnce(handOver)).toBeLessThanOrEqual(0);
  const preempted = [advert(1, 'b'), advert(2, 'b'), advert(2.2, 'a'), advert(3.2, 'a'), advert(9, 'b')];
  expect(mastersAtOnce(preempted)).toBeLessThanOrEqual(0);
  const split = [advert(1, 'a'), advert(1.5, 'b'), advert(2, 'a'), advert(2.5, 'b'), advert(3, 'a')];
  expect(mastersAtOnce(split)).toBe(1_500_000);
});

test('a graceful stop: meter, capture and address watches tell the same story', async () => {
  await using lab = await Lab.create(topologies.twoDirectors('DR', { servers: 0 }));
  const [client, a, b] = hostsOf(lab);
  await Promise.all([startHttp(a), startHttp(b)]);
  const adverts = await Adverts.start(lab.host('switch'));
  const watches = [await AddressWatch.start(a, vip), await AddressWatch.start(b, vip)] as const;
  const text = (priority: number, state: 'MASTER' | 'BACKUP') =>
    routerText({ priority, state, password: 'lab', addresses: [`${vip}/32 dev eth0`] });
  const first = await Keepalived.start(a, text(150, 'MASTER'));
  const second = await Keepalived.start(b, text(100, 'BACKUP'));
  await first.waitForState('VI_1', 'MASTER');

  const meter = await Meter.start(client, vip);
  const stoppedAt = nowMicros();
  await first.stop();
  await second.waitForState('VI_1', 'MASTER');
  await meter.waitForAnswers(10, stoppedAt);
  await meter.stop();

  const said = await adverts.adverts();
  const goodbye = said.find((advert) => advert.priority === 0);
  const takeover = said.find((advert) => advert.source === '10.1.0.3');
  expect(goodbye).toMatchObject({ source: '10.1.0.2', version: 2, ttl: 255, auth: 'lab', addresses: [vip] });
  if (goodbye === undefined || takeover === undefined) throw new Error(await adverts.text());
  const outage = meter.outage(stoppedAt);
  // keepalived takes the address away with its goodbye: nobody answers until the peer's skew has passed.
  expect(outage.firstAfter).toBeGreaterThan(takeover.atMicros);
  expect(outage.lastBefore).toBeLessThan(takeover.atMicros);
  expect(outage.gapMicros).toBeGreaterThan((takeover.atMicros - goodbye.atMicros) / 2);
  expect(Object.keys(outage.failures)).toContain('timeout');
  const names = meter.record().flatMap((asked) => asked.name ?? []);
  expect([names[0], names.at(-1)]).toEqual(['director-a', 'director-b']);
  const [left, right] = [watches[0].holdings(), watches[1].holdings()];
  expect([left.length, right.length, overlapMicros(left, right)]).toEqual([1, 1, 0]);
  const announced = (await adverts.announcements()).find((one) => one.sourceMac === takeover.sourceMac);
  expect(announced).toMatchObject({ kind: 'arp-request', address: vip });
  expect((await second.stats('VI_1')).pri_zero_rcvd).toBe(1);
});

test('each cut of a cable does what its name says', async () => {
  await using lab = await Lab.create(topologies.twoDirectors('DR', { servers: 0 }));
  const [, a, b] = hostsOf(lab);
  const text = (priority: number) => routerText({ ...fast, priority, addresses: [`${vip}/32 dev eth0`] });
  const first = await Keepalived.start(a, text(150));
  const second = await Keepalived.start(b, text(100));
  await first.waitForState('VI_1', 'MASTER');
  await second.waitForState('VI_1', 'BACKUP');
  const cable = new Cable(lab, 'director-a');
  const carrier = async () => (await a.ip('link show dev eth0')).includes('LOWER_UP');

  for (const [how, state] of [
    ['silent', 'MASTER'],
    ['carrier', 'FAULT'],
    ['host', 'FAULT'],
  ] as const) {
    await cable.cut(how);
    await second.waitForState('VI_1', 'MASTER');
    await first.waitForState('VI_1', state);
    expect([how, await carrier()]).toEqual([how, how === 'silent']);
    await cable.restore();
    await second.waitForState('VI_1', 'BACKUP');
    await first.waitForState('VI_1', 'MASTER');
  }

  // One way: the backup hears nothing and becomes the second master, the first one hears it and says so.
  const watches = [await AddressWatch.start(a, vip), await AddressWatch.start(b, vip)] as const;
  await cable.drop('from', 'ip protocol vrrp');
  await second.waitForState('VI_1', 'MASTER');
  await waitFor(
    'both to have the address',
    async () => (await hasAddress(a, vip)) && (await hasAddress(b, vip)),
  );
  await waitFor('the first to hear the second', () =>
    first.told().some((notice) => notice.state === 'MASTER_RX_LOWER_PRI'),
  );
  await cable.restore();
  await second.waitForState('VI_1', 'BACKUP');
  await waitFor('the second to give the address back', async () => !(await hasAddress(b, vip)));
  expect(overlapMicros(watches[0].holdings(), watches[1].holdings())).toBeGreaterThan(0);
});

function hostsOf(lab: Lab): readonly [Host, Host, Host] {
  return [lab.host('client'), lab.host('director-a'), lab.host('director-b')];
}
