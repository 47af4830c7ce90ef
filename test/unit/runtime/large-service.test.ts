// A service of hundreds of servers is compared, planned and begun over several turns of the event loop. Whatever is heard of a
// server in any of them is told once, and is in the table.
import { expect, test } from 'vitest';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import type { ProbeResult } from '../../../src/health/checker.js';
import { micros } from '../../../src/model/units.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { DirectorEvent } from '../../../src/runtime/events.js';
import { FakeProbes } from '../../support/fake-probes.js';
import { ManualClock } from '../../support/manual-clock.js';

/** While it is busy, whoever asks for the time has used up its slice: long work yields wherever it can. */
class BusyClock extends ManualClock {
  isBusy = false;
  override now() {
    if (this.isBusy) this.spend(micros(3_000));
    return super.now();
  }
}

const addressOf = (i: number) => `10.1.${i >> 8}.${i & 255}`;
const serverCount = 520;
const watched = [0, 300, serverCount - 1].map(addressOf).sort();
const service = { kind: 'endpoint', protocol: 'tcp', address: '10.0.0.1', port: 80 } as const;
const servers = Array.from({ length: serverCount }, (_, i) => {
  const check = 'TCP_CHECK {\n connect_timeout 1000\n retry 0\n warmup 0\n }';
  return `real_server ${addressOf(i)} 80 {\n ${check}\n }`;
});
const configText = `virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  ${servers.join('\n')}
}
`;

test('servers that fail in whichever turn of a change are told once and leave the table', async () => {
  const dataplane = new MemoryDataplane();
  const clock = new BusyClock();
  const probes = new FakeProbes();
  probes.isManual = true;
  const director = createDirector({ configText }, { dataplane, clock, probes: probes.probes });
  const told: string[] = [];
  const note = (event: DirectorEvent) => {
    if (event.kind === 'server-down' || event.kind === 'server-up')
      told.push(`${event.kind} ${event.server.address}`);
  };
  void (async () => {
    for await (const event of director.events()) note(event);
  })();
  const asked = () => probes.pending.filter(({ policy }) => watched.includes(policy.question.connectAddress));
  const answer = (result: ProbeResult) => {
    for (const probe of asked()) probe.answer(result);
  };
  const weightsInTable = () => {
    const rows = dataplane.current.services[0]?.destinations ?? [];
    return [rows.length, ...new Set(rows.map(({ weight }) => weight))];
  };
  /** The number of turns that the change of all weights takes; in the one with the number the watched servers fail. */
  const change = async (weight: number, failingTurn: number): Promise<number> => {
    let turns = 0;
    clock.isBusy = true;
    let isDone = false;
    const changes = Array.from({ length: serverCount }, (_, i) => {
      const server = { address: addressOf(i), port: 80 };
      return { kind: 'update-server', service, server, set: { weight } } as const;
    });
    const applied = director.apply(changes).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      if (turns === failingTurn) answer({ kind: 'failed', reason: 'connection refused' });
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    await applied;
    clock.isBusy = false;
    await clock.settle();
    return turns;
  };

  /** All servers pass, and are being asked again. */
  const recover = async () => {
    for (let round = 0; round < 2; round++) {
      while (probes.pending.length < serverCount) await clock.advance(micros(100_000));
      if (round === 0) for (const probe of [...probes.pending]) probe.answer({ kind: 'passed' });
    }
  };

  await director.start();
  await recover();
  let weight = 2;
  const turns = await change(weight, -1);
  const ofPlanAndBegin = turns - serverCount;
  expect(ofPlanAndBegin).toBeGreaterThan(6);
  for (let turn = serverCount; turn < turns; turn++) {
    weight = weight === 2 ? 3 : 2;
    await change(weight, turn);
    expect([turn, told.splice(0).sort()]).toEqual([turn, watched.map((address) => `server-down ${address}`)]);
    expect([turn, ...weightsInTable()]).toEqual([turn, serverCount - watched.length, weight]);
    await recover();
    expect(told.splice(0).sort()).toEqual(watched.map((address) => `server-up ${address}`));
  }
  await director.stop();
}, 120_000);
