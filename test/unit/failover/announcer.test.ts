// Announcements and probes: rounds, pauses, what is dropped, and whose answers count.
import { describe, expect, test } from 'vitest';
import { MemoryNetwork } from '../../../src/dataplane/memory-network.js';
import type { IpAddress } from '../../../src/model/address.js';
import type { Pacing } from '../../../src/model/failover-config.js';
import { micros, seconds } from '../../../src/model/units.js';
import { Catcher } from '../../../src/runtime/catcher.js';
import { type AnnounceOrder, Announcer, type Target } from '../../../src/runtime/failover/announcer.js';
import { gatherPause, Prober, probeWindow } from '../../../src/runtime/failover/prober.js';
import { silentLog } from '../../../src/runtime/log.js';
import { announcement } from '../../../src/vrrp/announcement.js';
import { readHolder } from '../../../src/vrrp/frames.js';
import { ManualClock } from '../../support/manual-clock.js';

const ip = (text: string) => text as IpAddress;
const at = (address: string, device: string, physical = device): Target => ({
  address: ip(address),
  device,
  physical,
});
const one = at('10.0.0.100', 'eth0');
const two = at('10.0.0.101', 'eth0');
const elsewhere = at('10.0.0.102', 'eth1');
const six = at('fd00::1', 'eth1');

const ms10 = micros(10_000);
const paced: Pacing = { arp: ms10, na: ms10, groups: [] };
const unpaced: Pacing = { arp: micros(0), na: micros(0), groups: [] };

async function fixture(pacing = unpaced) {
  const clock = new ManualClock();
  const links = [{ name: 'eth0', mac: '02:00:00:00:00:0a' }, { name: 'eth1' }, { name: 'tun0', mac: '' }];
  const network = new MemoryNetwork({ clock, links });
  await network.start(() => {});
  const announcer = new Announcer({
    network,
    clock,
    isRouter: (device) => device === 'eth1',
    pacing: () => pacing,
  });
  const failures: string[] = [];
  const order = (more: Partial<AnnounceOrder> = {}): AnnounceOrder => ({
    owner: 'VI_1',
    part: 'all',
    targets: [one, two],
    repeat: 2,
    onSent: () => {},
    onFailed: (reason) => failures.push(reason),
    ...more,
  });
  /** `100 101 100`: the last bytes of the addresses, in order. */
  const sent = () =>
    network.sentFrames.map(({ frame }) => readHolder(frame)?.address.split('.').at(-1)).join(' ');
  const catcher = new Catcher(clock, silentLog);
  return { clock, catcher, network, announcer, order, sent, failures };
}

describe('announcements', () => {
  test('without a pause: all at once, in rounds', async () => {
    const f = await fixture();
    f.announcer.announce(f.order());
    expect(f.sent()).toBe('100 101 100 101');
    expect(f.clock.alarmCount).toBe(0);
  });

  test('with a pause: one after another on a device, beside other devices', async () => {
    const f = await fixture(paced);
    f.announcer.announce(f.order({ targets: [one, two, elsewhere] }));
    expect(f.sent()).toBe('100 102');
    await f.clock.advance(micros(10_000));
    expect(f.sent()).toBe('100 102 101 102');
    await f.clock.advance(micros(20_000));
    expect(f.sent()).toBe('100 102 101 102 100 101');
    await f.clock.advance(seconds(1));
    expect(f.clock.alarmCount).toBe(0);
  });

  test('devices of a group share one pause; ARP and NA do not, and what hangs on a device goes with it', async () => {
    const groups = [{ arp: ms10, na: ms10, devices: ['eth0', 'eth1'] }];
    const f = await fixture({ arp: micros(0), na: micros(0), groups });
    const alone = at('10.0.0.103', 'tun0');
    const upon = at('10.0.0.104', 'eth1', 'eth0');
    f.announcer.announce(f.order({ targets: [one, elsewhere, upon, six, alone], repeat: 1 }));
    expect(f.network.sentFrames).toHaveLength(2);
    await f.clock.advance(ms10);
    await f.clock.advance(ms10);
    expect(f.network.sentFrames.map(({ frame }) => readHolder(frame)?.address)).toEqual(
      [one, six, elsewhere, upon].map(({ address }) => address),
    );
  });

  test('a newer order of the same router replaces what is left; another router’s waits in line', async () => {
    const f = await fixture(paced);
    f.announcer.announce(f.order());
    f.announcer.announce(
      f.order({
        owner: 'VI_2',
        targets: [{ ...one, address: ip('10.0.0.200') }],
        repeat: 1,
      }),
    );
    f.announcer.announce(f.order({ targets: [two], repeat: 1 }));
    await f.clock.advance(seconds(1));
    expect(f.sent()).toBe('100 200 101');
  });

  test('what is said of some addresses leaves the rest of an announcement of all', async () => {
    const f = await fixture(paced);
    f.announcer.announce(f.order());
    f.announcer.announce(f.order({ part: 'missed', targets: [elsewhere], repeat: 1 }));
    f.announcer.announce(f.order({ part: 'extra', targets: [two], repeat: 1 }));
    await f.clock.advance(seconds(1));
    expect(f.sent()).toBe('100 102 101 100 101 101');
    f.announcer.announce(f.order({ part: 'extra' }));
    f.announcer.drop('VI_1');
    await f.clock.advance(seconds(1));
    expect([f.sent(), f.clock.alarmCount]).toEqual(['100 102 101 100 101 101 100', 0]);
  });

  test('what is dropped is not sent', async () => {
    const f = await fixture(paced);
    f.announcer.announce(f.order());
    f.announcer.drop('VI_1');
    await f.clock.advance(seconds(1));
    expect([f.sent(), f.clock.alarmCount]).toEqual(['100', 0]);
    f.announcer.announce(f.order());
    f.announcer.stop();
    expect(f.clock.alarmCount).toBe(0);
  });

  test('a failure is reported once an order and device', async () => {
    const f = await fixture();
    f.network.setLink({ name: 'eth0', isUp: false });
    f.announcer.announce(f.order({ targets: [one, two, at('10.0.0.100', 'eth9')] }));
    expect(f.failures).toEqual(['interface eth0 is down', 'there is no interface eth9']);
  });

  test('a device without MAC has no neighbours', async () => {
    const f = await fixture();
    f.announcer.announce(f.order({ targets: [at('10.0.0.100', 'tun0')] }));
    expect([f.sent(), f.failures]).toEqual(['', []]);
  });

  test('IPv6 says router where the kernel does', async () => {
    const f = await fixture();
    f.announcer.announce(f.order({ targets: [six], repeat: 1 }));
    expect((f.network.sentFrames[0]?.frame[58] ?? 0) & 0x80).toBe(0x80);
  });
});

describe('probes', () => {
  const other = '02:00:00:00:99:99';
  const answer = (address: IpAddress, mac = other) => announcement(address, mac);

  async function probed() {
    const f = await fixture();
    const answers: string[] = [];
    const prober = new Prober(f);
    prober.probe([one, two], (address, mac) => answers.push(`${address} ${mac}`));
    return { ...f, prober, answers };
  }

  test('each address is asked for once, and an answer is heard once', async () => {
    const { network, prober, answers } = await probed();
    expect(network.sentFrames).toHaveLength(2);
    prober.onFrame('eth0', answer(one.address));
    prober.onFrame('eth0', answer(one.address));
    prober.onFrame('eth0', answer(two.address));
    expect(answers).toEqual([`10.0.0.100 ${other}`, `10.0.0.101 ${other}`]);
  });

  test('our own MAC, another address, another device and noise are no answers', async () => {
    const { network, prober, answers } = await probed();
    for (const { mac } of network.links().filter((link) => link.mac !== '')) {
      prober.onFrame('eth0', answer(one.address, mac));
    }
    prober.onFrame('eth0', answer(ip('10.0.0.7')));
    prober.onFrame('eth1', answer(one.address));
    prober.onFrame('eth0', new Uint8Array(3));
    expect(answers).toEqual([]);
  });

  test('after the window nobody listens; a second question opens it again', async () => {
    const { clock, prober, answers, network } = await probed();
    await clock.advance(probeWindow);
    prober.onFrame('eth0', answer(one.address));
    expect([answers, clock.alarmCount]).toEqual([[], 0]);
    prober.probe([one], (address) => answers.push(address));
    expect(network.sentFrames).toHaveLength(3);
    prober.onFrame('eth0', answer(one.address));
    expect(answers).toEqual(['10.0.0.100']);
    prober.stop();
    expect(clock.alarmCount).toBe(0);
  });

  test('a watch hears of claims beside questions, in the network’s own words, until it ends', async () => {
    const { clock, prober, answers, network } = await probed();
    const listened: string[] = [];
    const { listenForFrames, stopListeningForFrames } = network;
    network.listenForFrames = (filter) => {
      listened.push(filter.addresses.join(' '));
      listenForFrames.call(network, filter);
    };
    network.stopListeningForFrames = (device) => {
      listened.push('nothing');
      stopListeningForFrames.call(network, device);
    };
    let claims = 0;
    prober.watch('VI_1', [one], () => claims++);
    await clock.advance(probeWindow);
    prober.onFrame('eth0', answer(one.address));
    prober.onFrame('eth0', answer(two.address));
    prober.onFrame('eth1', answer(one.address));
    prober.onFrame('eth0', answer(one.address, network.links()[0]?.mac));
    expect([claims, answers]).toEqual([1, []]);
    // Its own questions have their answers first.
    prober.probe([one], (address) => answers.push(address));
    prober.onFrame('eth0', answer(one.address));
    expect([claims, answers]).toEqual([1, ['10.0.0.100']]);
    // The device is made anew.
    network.removeLink('eth0');
    network.setLink({ name: 'eth0', mac: '02:00:00:00:00:0a' });
    prober.watch('VI_1', [one], () => claims++);
    await clock.advance(gatherPause);
    prober.unwatch('VI_1');
    await clock.advance(probeWindow);
    prober.onFrame('eth0', answer(one.address));
    expect(claims).toBe(1);
    expect(listened).toEqual(['10.0.0.100', '10.0.0.100', 'nothing']);
  });

  test('two routers ask on one device: each listens as long as it wants', async () => {
    const { clock, prober, answers } = await probed();
    await clock.advance(micros(probeWindow / 2));
    const third = ip('10.0.0.103');
    prober.probe([at(third, 'eth0')], (address) => answers.push(`second ${address}`));
    await clock.advance(micros(probeWindow / 2));
    prober.onFrame('eth0', answer(one.address));
    prober.onFrame('eth0', answer(third));
    expect(answers).toEqual(['second 10.0.0.103']);
  });

  test('a device that is down, or goes in this moment, is asked nothing', async () => {
    const f = await fixture();
    const prober = new Prober(f);
    f.network.setLink({ name: 'eth0', isUp: false });
    prober.probe([one], () => {});
    f.network.listenForFrames = () => {
      throw new Error('no such device');
    };
    prober.probe([elsewhere], () => {});
    expect(f.network.sentFrames).toHaveLength(0);
    f.network.removeLink('eth1');
    await f.clock.advance(micros(gatherPause + 2 * probeWindow));
    expect(f.clock.alarmCount).toBe(0);
  });

  test('hundreds at once install the filter of their device twice, and all are asked for', async () => {
    const { clock, catcher, network } = await fixture();
    const prober = new Prober({ clock, catcher, network });
    let installed = 0;
    const { listenForFrames } = network;
    network.listenForFrames = (filter) => {
      installed += 1;
      listenForFrames.call(network, filter);
    };
    for (let i = 1; i <= 400; i++) {
      const target = at(ip(`10.1.${i >> 8}.${i & 255}`), 'eth0');
      prober.probe([target], () => {});
      prober.watch(`VI_${i}`, [target], () => {});
    }
    await clock.advance(gatherPause);
    expect([installed, network.sentFrames.length]).toEqual([2, 400]);
  });
});
