// Who is in the table: quorum with hysteresis, the sorry server, inhibit_on_failure, and the order of visit.

import { describe, expect, test } from 'vitest';
import { arrange } from '../../../src/health/order.js';
import { isLive, nextPool } from '../../../src/health/pool.js';
import { initialQuorum, nextQuorum } from '../../../src/health/quorum.js';
import type { IpAddress } from '../../../src/model/address.js';
import type { RealServer, VirtualServer } from '../../../src/model/director-config.js';
import type { Destination } from '../../../src/model/forwarding-table.js';

const origin = { file: 'test', line: 1, column: 1 };

function server(name: string, fields: Partial<RealServer> = {}): RealServer {
  return {
    address: `10.1.0.${name.charCodeAt(0)}` as IpAddress,
    port: 80,
    method: 'nat',
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    alpha: false,
    inhibitOnFailure: false,
    checkers: [],
    origin,
    ...fields,
  };
}

function service(realServers: readonly RealServer[], fields: Partial<VirtualServer> = {}): VirtualServer {
  return {
    id: { kind: 'endpoint', protocol: 'tcp', address: '10.0.0.1' as IpAddress, port: 80 },
    scheduler: 'rr',
    flags: [],
    onePacket: false,
    persistence: undefined,
    quorum: 1,
    hysteresis: 0,
    alpha: false,
    sorryServer: undefined,
    realServers,
    notAsWritten: [],
    origin,
    ...fields,
  };
}

/** `a1 b0`: names with weights. */
function names(members: readonly Destination[]): string {
  return members.map(({ address, weight }) => nameOf(address) + weight).join(' ');
}

function nameOf(address: string): string {
  return String.fromCharCode(Number(address.split('.')[3]));
}

const sorry = { address: '10.1.0.115' as IpAddress, port: 80, method: 'nat' } as const; // s

describe('quorum', () => {
  test.each([
    // quorum, hysteresis, was up, live weight, is up
    [1, 0, true, 1, true],
    [1, 0, true, 0, false],
    [1, 0, false, 0, false],
    [1, 0, false, 1, true],
    [3, 0, true, 2, false],
    [3, 0, false, 3, true],
    [3, 1, true, 2, true],
    [3, 1, true, 1, false],
    [3, 1, false, 3, false],
    [3, 1, false, 4, true],
    [2, 5, true, 1, true],
    [2, 5, true, 0, false],
  ])('quorum %d, hysteresis %d, up %s, live weight %d: %s', (quorum, hysteresis, wasUp, weight, isUp) => {
    expect(nextQuorum({ quorum, hysteresis }, wasUp, weight)).toBe(isUp);
  });

  test('a new service is up when it would come up', () => {
    expect(initialQuorum({ quorum: 2, hysteresis: 1 }, 2)).toBe(false);
    expect(initialQuorum({ quorum: 2, hysteresis: 1 }, 3)).toBe(true);
  });
});

test('a server is live when all of its checkers are, and without any', () => {
  expect(isLive([])).toBe(true);
  expect(isLive([{ isUp: true }, { isUp: true }])).toBe(true);
  expect(isLive([{ isUp: true }, { isUp: false }])).toBe(false);
});

describe('pool', () => {
  const ab = [server('a', { weight: 3 }), server('b')];
  const inhibited = [server('a', { weight: 3, inhibitOnFailure: true }), server('b')];

  test.each([
    { name: 'all live', realServers: ab, live: [true, true], was: true, up: true, members: 'a3 b1' },
    { name: 'a dead one leaves', realServers: ab, live: [false, true], was: true, up: true, members: 'b1' },
    { name: 'all dead', realServers: ab, live: [false, false], was: true, up: false, members: '' },
    {
      name: 'inhibit: a dead one stays with weight 0',
      realServers: inhibited,
      live: [false, true],
      was: true,
      up: true,
      members: 'a0 b1',
    },
    { name: 'no servers', realServers: [], live: [], was: true, up: false, members: '' },
    {
      name: 'all weights 0',
      realServers: [server('a', { weight: 0 })],
      live: [true],
      was: true,
      up: false,
      members: 'a0',
    },
  ])('$name', ({ realServers, live, was, up, members }) => {
    const pool = nextPool(service(realServers), live, was);
    expect([pool.isQuorumUp, names(pool.members)]).toEqual([up, members]);
  });

  test.each([
    {
      name: 'quorum up: no sorry server',
      realServers: ab,
      live: [true, true],
      was: true,
      quorum: 2,
      up: true,
      members: 'a3 b1',
    },
    {
      name: 'quorum lost: it replaces all, the live ones too',
      realServers: ab,
      live: [false, true],
      was: true,
      quorum: 2,
      up: false,
      members: 's1',
    },
    {
      name: 'quorum not yet back',
      realServers: ab,
      live: [false, true],
      was: false,
      quorum: 2,
      up: false,
      members: 's1',
    },
    {
      name: 'quorum back: it leaves',
      realServers: ab,
      live: [true, true],
      was: false,
      quorum: 2,
      up: true,
      members: 'a3 b1',
    },
    {
      name: 'inhibited ones stay beside it with weight 0',
      realServers: inhibited,
      live: [true, false],
      was: true,
      quorum: 4,
      up: false,
      members: 'a0 s1',
    },
    {
      name: 'a server that is the sorry server, too',
      realServers: [server('s', { inhibitOnFailure: true })],
      live: [false],
      was: true,
      quorum: 1,
      up: false,
      members: 's1',
    },
  ])('sorry server, $name', ({ realServers, live, was, quorum, up, members }) => {
    const pool = nextPool(service(realServers, { quorum, sorryServer: sorry }), live, was);
    expect([pool.isQuorumUp, names(pool.members)]).toEqual([up, members]);
  });
});

describe('order of visit', () => {
  const list = (text: string): Destination[] =>
    [...text].map((name) => ({ ...server(name), origin: undefined }) as unknown as Destination);
  const order = (kind: 'kernel' | 'config', before: string, members: string) =>
    arrange(kind, list(before), list(members))
      .map(({ address }) => nameOf(address))
      .join('');

  test.each([
    { name: 'at first the last of the file leads', before: '', members: 'abc', kernel: 'cba' },
    { name: 'nothing changes', before: 'cba', members: 'abc', kernel: 'cba' },
    { name: 'one leaves', before: 'cba', members: 'ac', kernel: 'ca' },
    { name: 'it comes back at the head', before: 'ca', members: 'abc', kernel: 'bca' },
    { name: 'new ones come to the head one by one', before: 'cba', members: 'adbec', kernel: 'edcba' },
    { name: 'the order of the file does not move who stays', before: 'bca', members: 'cab', kernel: 'bca' },
  ])('kernel: $name', ({ before, members, kernel }) => {
    expect(order('kernel', before, members)).toBe(kernel);
    expect(order('config', before, members)).toBe(members);
  });

  test('who stays takes its new weight and method', () => {
    const [moved] = arrange('kernel', list('a'), [
      { ...(list('a')[0] as Destination), weight: 7, method: 'dr' },
    ]);
    expect(moved).toMatchObject({ weight: 7, method: 'dr' });
  });
});
