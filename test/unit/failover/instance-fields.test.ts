// Every field of a vrrp_instance, changed by a reload while the virtual router is master and while it is backup: what is
// seen of it outside, and that the new value is in force. The fields are the grammar's: a new one without a row fails.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { vrrpShapes } from '../../../src/config/grammar/vrrp.js';
import type { IpAddress } from '../../../src/model/address.js';
import { seconds } from '../../../src/model/units.js';
import { type FailoverDirector, FailoverLab } from '../../support/failover-director.js';
import { configOf } from '../../support/parse-config.js';

type Fields = Readonly<Record<string, string>>;

/**
 * `kept`: nothing is seen but the new value. `announced`: the addresses are said again, too. `moved`: its adverts and addresses
 * are elsewhere, without a goodbye. `restarted`: for the peers it is another virtual router, made before the old one breaks.
 * `fault`: it gives up.
 */
type Outcome = 'kept' | 'announced' | 'moved' | 'restarted' | 'fault';

type Row = {
  readonly field: string;
  readonly before?: Fields;
  readonly after: Fields;
  readonly asMaster: Outcome;
  readonly asBackup: Outcome;
  /** What the new value must have brought about, of the one that was master. */
  readonly check?: (a: FailoverDirector) => unknown;
};

const vip = '10.0.0.100';
const base: Fields = {
  interface: 'eth0',
  virtual_router_id: '51',
  priority: '100',
  advert_int: '1',
  virtual_ipaddress: `{\n ${vip}/24\n }`,
};
/** Fields of a router that goes by unicast. */
const unicast: Fields = {
  unicast_src_ip: '10.0.0.1',
  unicast_peer: '{\n 10.0.0.2\n }',
};
const v3: Fields = { version: '3' };

function textOf(fields: Fields): string {
  const lines = Object.entries({ ...base, ...fields }).map(([keyword, value]) =>
    ` ${keyword} ${value}`.trimEnd(),
  );
  return `${shared}vrrp_instance VI_1 {\n${lines.join('\n')}\n}\n`;
}
const shared = `global_defs {\n script_user root\n}
vrrp_script web {\n script /bin/true\n interval 1\n}
vrrp_track_file load {\n file /dev/null\n}\n`;

const lastAdvert = (a: FailoverDirector) => a.lab.wire.adverts.filter(({ device }) => isOf(a, device)).at(-1);
const isOf = (a: FailoverDirector, device: string) => a.network.links().some(({ name }) => name === device);
const routerOf = (a: FailoverDirector) => a.director.config().failover.routers[0]?.router;
const notifyOf = (a: FailoverDirector) => a.director.config().failover.routers[0]?.notify;

/** A value that counts from the next time it is asked for: nothing is seen of it but in the configuration in force. */
const quiet = (
  field: string,
  after: Fields,
  check: (a: FailoverDirector) => unknown,
  before: Fields = {},
): Row => ({
  field,
  before,
  after: { ...before, ...after },
  asMaster: 'kept',
  asBackup: 'kept',
  check,
});

const rows: readonly Row[] = [
  quiet('state', { state: 'MASTER' }, (a) => expect(routerOf(a)?.startState).toBe('master')),
  {
    field: 'interface',
    after: { interface: 'eth1' },
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => expect([lastAdvert(a)?.device, a.network.addresses[0]?.device]).toEqual(['eth1', 'eth1']),
  },
  {
    field: 'virtual_router_id',
    after: { virtual_router_id: '52' },
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => expect(lastAdvert(a)?.bytes[1]).toBe(52),
  },
  quiet('priority', { priority: '110' }, (a) => expect(lastAdvert(a)?.bytes[2]).toBe(110)),
  quiet('advert_int', { advert_int: '2' }, (a) => expect(lastAdvert(a)?.bytes[5]).toBe(2)),
  {
    field: 'version',
    after: v3,
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => expect((lastAdvert(a)?.bytes[0] ?? 0) >> 4).toBe(3),
  },
  quiet('down_timer_adverts', { down_timer_adverts: '5' }, (a) =>
    expect(routerOf(a)?.downTimerAdverts).toBe(5),
  ),
  {
    field: 'use_vmac',
    after: { use_vmac: '' },
    asMaster: 'moved',
    asBackup: 'kept',
    check: (a) => expect(a.network.addresses).toMatchObject([{ address: vip, device: 'uvs.51' }]),
  },
  {
    field: 'use_vmac',
    before: { use_vmac: 'jetty0' },
    after: {},
    asMaster: 'moved',
    asBackup: 'kept',
    check: (a) => {
      expect(a.network.addresses).toMatchObject([{ address: vip, device: 'eth0' }]);
      expect(a.network.links().map(({ name }) => name)).not.toContain('jetty0');
    },
  },
  {
    field: 'use_vmac',
    before: { use_vmac: 'jetty0' },
    after: { use_vmac: 'jetty1' },
    asMaster: 'kept',
    asBackup: 'kept',
    check: (a) => {
      expect(a.network.addresses).toMatchObject([{ address: vip, device: 'jetty1' }]);
      expect(lastAdvert(a)?.device).toBe('jetty1');
      expect(a.network.links().map(({ name }) => name)).not.toContain('jetty0');
    },
  },
  {
    field: 'use_vmac',
    before: { use_vmac: 'jetty0' },
    after: { use_vmac: 'jetty0 02:00:00:11:22:33' },
    asMaster: 'announced',
    asBackup: 'kept',
    check: (a) =>
      expect(a.network.links().find(({ name }) => name === 'jetty0')?.mac).toBe('02:00:00:11:22:33'),
  },
  {
    field: 'interface',
    before: { use_vmac: 'jetty0' },
    after: { use_vmac: 'jetty0', interface: 'eth1' },
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => {
      const macvlans = a.network.links().filter(({ parent }) => parent !== undefined);
      expect(macvlans).toMatchObject([{ name: 'jetty0', parent: 'eth1' }]);
      expect(a.network.addresses).toMatchObject([{ address: vip, device: 'jetty0' }]);
    },
  },
  {
    field: 'virtual_router_id',
    before: { use_vmac: 'jetty0' },
    after: { use_vmac: 'jetty0', virtual_router_id: '52' },
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) =>
      expect(a.network.links().filter(({ parent }) => parent !== undefined)).toMatchObject([
        { name: 'jetty0', mac: '00:00:5e:00:01:34' },
      ]),
  },
  quiet('dont_track_primary', { dont_track_primary: '' }, (a) => expect(routerOf(a)?.tracks).toEqual([])),
  quiet(
    'native_ipv6',
    { native_ipv6: '', version: '3', virtual_ipaddress: '{\n fe80::100/64\n }' },
    (a) => expect(routerOf(a)?.family).toBe(6),
    { version: '3', virtual_ipaddress: '{\n fe80::100/64\n }' },
  ),
  quiet(
    'check_unicast_src',
    { check_unicast_src: '' },
    (a) => expect(routerOf(a)?.delivery).toMatchObject({ checksSource: true }),
    unicast,
  ),
  {
    field: 'no_virtual_ipaddress',
    after: { no_virtual_ipaddress: '', virtual_ipaddress: '{\n }' },
    asMaster: 'kept',
    asBackup: 'kept',
    check: (a) => expect(a.addresses()).toEqual([]),
  },
  quiet('accept', { accept: '' }, (a) => expect(routerOf(a)?.acceptsTraffic).toBe(true), v3),
  quiet(
    'no_accept',
    { no_accept: '' },
    (a) => expect(a.director.config().failover.routers[0]?.router.acceptsTraffic).toBe(false),
    v3,
  ),
  quiet('preempt', { preempt: '' }, (a) => expect(routerOf(a)?.preempt).toBe(true)),
  quiet('nopreempt', { nopreempt: '' }, (a) => expect(routerOf(a)?.preempt).toBe(false)),
  quiet(
    'v3_checksum_as_v2',
    { v3_checksum_as_v2: '' },
    (a) => expect(routerOf(a)?.checksum).toBe('message'),
    v3,
  ),
  quiet('skip_check_adv_addr', { skip_check_adv_addr: '' }, (a) =>
    expect(routerOf(a)?.skipsKnownAddressCheck).toBe(true),
  ),
  quiet('strict_mode', { strict_mode: 'on' }, (a) => expect(routerOf(a)?.isStrict).toBe(true), {
    strict_mode: 'off',
  }),
  quiet('lower_prio_no_advert', { lower_prio_no_advert: '' }, (a) =>
    expect(routerOf(a)?.answersLowerPriority).toBe(false),
  ),
  quiet('higher_prio_send_advert', { higher_prio_send_advert: 'off' }, (a) =>
    expect(routerOf(a)?.answersHigherPriority).toBe(false),
  ),
  quiet('owner_ignore_adverts', { owner_ignore_adverts: 'on' }, (a) =>
    expect(routerOf(a)?.ownerIgnoresAdverts).toBe(true),
  ),
  {
    field: 'mcast_src_ip',
    after: { mcast_src_ip: '10.0.0.9' },
    asMaster: 'kept',
    asBackup: 'kept',
    check: (a) => expect(lastAdvert(a)?.source).toBe('10.0.0.9'),
  },
  {
    field: 'unicast_src_ip',
    before: unicast,
    after: { ...unicast, unicast_src_ip: '10.0.0.9' },
    asMaster: 'kept',
    asBackup: 'kept',
    check: (a) => expect(lastAdvert(a)?.source).toBe('10.0.0.9'),
  },
  {
    field: 'mcast_dst_ip',
    after: { mcast_dst_ip: '224.0.0.19' },
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => expect(lastAdvert(a)?.destination).toBe('224.0.0.19'),
  },
  {
    field: 'unicast_peer',
    after: unicast,
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => expect(lastAdvert(a)?.destination).toBe('10.0.0.2'),
  },
  {
    field: 'unicast_peer',
    before: unicast,
    after: { ...unicast, unicast_peer: '{\n 10.0.0.3\n }' },
    asMaster: 'kept',
    asBackup: 'kept',
    check: (a) => expect(lastAdvert(a)?.destination).toBe('10.0.0.3'),
  },
  {
    field: 'unicast_fault_no_peer',
    after: { unicast_fault_no_peer: '', unicast_peer: '{\n }' },
    asMaster: 'restarted',
    asBackup: 'restarted',
    check: (a) => expect(a.view().faults).toEqual(['unicast_peer names nobody']),
  },
  quiet('unicast_ttl', { unicast_ttl: '64' }, (a) => expect(lastAdvert(a)?.ttl).toBe(64), unicast),
  quiet('preempt_delay', { preempt_delay: '10' }, (a) => expect(routerOf(a)?.preemptDelay).toBe(seconds(10))),
  {
    field: 'virtual_ipaddress',
    after: { virtual_ipaddress: `{\n ${vip}/24\n 10.0.0.101/24\n }` },
    asMaster: 'announced',
    asBackup: 'kept',
    check: (a) => expect(a.addresses()).toEqual([vip, '10.0.0.101']),
  },
  {
    field: 'virtual_ipaddress',
    after: { virtual_ipaddress: '{\n 10.0.0.101/24\n }' },
    asMaster: 'announced',
    asBackup: 'kept',
    check: (a) => expect(a.addresses()).toEqual(['10.0.0.101']),
  },
  {
    field: 'virtual_ipaddress_excluded',
    after: { virtual_ipaddress_excluded: '{\n 10.0.0.101/24\n }' },
    asMaster: 'announced',
    asBackup: 'kept',
    check: (a) => expect(a.addresses()).toEqual([vip, '10.0.0.101']),
  },
  quiet('virtual_routes', { virtual_routes: '{\n 10.77.0.0/24 via 10.0.0.2 dev eth0\n }' }, (a) =>
    expect(a.network.routes).toHaveLength(1),
  ),
  ...(
    [
      ['garp_master_delay', 'delay', '3', seconds(3)],
      ['garp_lower_prio_delay', 'lowerPriorityDelay', '3', seconds(3)],
      ['garp_master_refresh', 'refresh', '30', seconds(30)],
      ['garp_extra_if', 'extra', 'all 30', seconds(30)],
      ['garp_master_repeat', 'repeat', '2', 2],
      ['garp_lower_prio_repeat', 'lowerPriorityRepeat', '2', 2],
      ['garp_master_refresh_repeat', 'refreshRepeat', '2', 2],
    ] as const
  ).map(([field, name, word, value]) =>
    quiet(field, { [field]: word }, (a) => expect(routerOf(a)?.announce[name]).toBe(value)),
  ),
  quiet('authentication', { authentication: '{\n auth_type PASS\n auth_pass secret\n }' }, (a) =>
    expect(lastAdvert(a)?.bytes[4]).toBe(1),
  ),
  {
    field: 'track_interface',
    after: { track_interface: '{\n eth9\n }' },
    asMaster: 'fault',
    asBackup: 'fault',
    check: (a) => expect(a.view().faults).toEqual(['interface eth9 is down']),
  },
  quiet('track_interface', { track_interface: '{\n eth1 weight 10\n }' }, (a) =>
    expect(lastAdvert(a)?.bytes[2]).toBe(110),
  ),
  {
    field: 'track_script',
    after: { track_script: '{\n web\n }' },
    asMaster: 'fault',
    asBackup: 'fault',
    check: (a) => expect(a.view().faults).toEqual(['script web has not run yet']),
  },
  quiet('track_file', { track_file: '{\n load weight 1\n }' }, (a) => expect(a.view().priority).toBe(120)),
  ...['master', 'backup', 'fault', 'stop', 'master_rx_lower_pri'].map((name) =>
    quiet(`notify_${name}`, { [`notify_${name}`]: '/bin/true' }, (a) =>
      expect(JSON.stringify(notifyOf(a))).toContain('/bin/true'),
    ),
  ),
  quiet('notify', { notify: '/bin/true' }, (a) => expect(JSON.stringify(notifyOf(a))).toContain('/bin/true')),
  quiet('notify_priority_changes', { notify_priority_changes: 'on' }, (a) =>
    expect(notifyOf(a)?.notifiesPriority).toBe(true),
  ),
  quiet('notify_deleted', { notify_deleted: '/bin/true' }, (a) =>
    expect(JSON.stringify(notifyOf(a))).toContain('/bin/true'),
  ),
];

let lab: FailoverLab;
beforeEach(() => {
  lab = new FailoverLab();
});
afterEach(() => lab.close());

async function started(fields: Fields): Promise<FailoverDirector> {
  const a = lab.create('a', 1, { routers: [] });
  const own = a.network.links()[0]?.addresses ?? [];
  a.network.setLink({ name: 'eth0', addresses: [...own, { address: '10.0.0.9' as IpAddress, length: 24 }] });
  a.network.setLink({ name: 'eth1', addresses: [{ address: '10.1.0.1' as IpAddress, length: 24 }] });
  a.tracking.files.set('load', 20);
  a.configure(configOf(textOf(fields)));
  await a.director.start();
  return a;
}

/** Reloads, and lets what it causes come to rest: what was seen from the reload on. */
async function reload(a: FailoverDirector, fields: Fields, rest_s: number): Promise<Outcome> {
  const transitions = a.director.virtualRouters().timeline.length;
  lab.take();
  const first = lab.wire.adverts.length;
  const before = a.network.addresses.map(({ device }) => device).join();
  const isMoved = () => a.network.addresses.map(({ device }) => device).join() !== before;
  a.configure(configOf(textOf(fields)));
  let isOver = false;
  void a.director.reload().then(() => {
    isOver = true;
  });
  await lab.clock.settle();
  while (!isOver) await lab.wait(0.01);
  await lab.wait(rest_s);
  const states = a.director.virtualRouters().timeline.slice(0, -transitions || undefined);
  if (a.state() === 'fault' && states.length === 1) return 'fault';
  if (states.length > 0) return 'restarted';
  expect(lab.wire.adverts.slice(first).filter(({ bytes }) => bytes[2] === 0)).toEqual([]);
  const isSaid = lab.take().includes('a: announce');
  if (isSaid && before !== '' && isMoved() && before.split(',').length === a.addresses().length)
    return 'moved';
  return isSaid ? 'announced' : 'kept';
}

test('every field of the grammar has a row', () => {
  const block = vrrpShapes.vrrp_instance?.block;
  if (block?.kind !== 'keywords') throw new Error('vrrp_instance is a block of keywords');
  const acting = [...block.keywords.values()].filter(({ shape }) => shape.effect === 'now');
  const fields = [...new Set(acting.map(({ shape }) => shape.name))].sort();
  expect([...new Set(rows.map(({ field }) => field))].sort()).toEqual(fields);
});

describe.each(rows.map((row) => ({ ...row, to: JSON.stringify(row.after) })))('$field: $to', (row) => {
  test(`as master: ${row.asMaster}`, async () => {
    const a = await started(row.before ?? {});
    await lab.wait(15);
    expect(a.state()).toBe('master');
    expect(await reload(a, row.after, 15)).toBe(row.asMaster);
    row.check?.(a);
    if (a.state() !== 'fault') expect(a.state()).toBe('master');
  });

  test(`as backup: ${row.asBackup}`, async () => {
    const m = await lab.start('m', 2, { routers: [] });
    m.configure(
      configOf(textOf({ ...row.before, priority: '200', ...(row.before === unicast ? mirrored : {}) })),
    );
    await m.director.reload();
    await lab.wait(5);
    const a = await started(row.before ?? {});
    await lab.wait(2);
    expect([m.state(), a.state()]).toEqual(['master', 'backup']);
    expect(await reload(a, row.after, 1)).toBe(row.asBackup);
    expect(a.addresses()).toEqual([]);
  });
});

const mirrored: Fields = { unicast_src_ip: '10.0.0.2', unicast_peer: '{\n 10.0.0.1\n 10.0.0.9\n }' };
