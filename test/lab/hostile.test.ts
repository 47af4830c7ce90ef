// Frames that no well-behaved program sends, written raw into the client's device: cut short, lying about lengths,
// with wrong checksums, options, extension headers, odd fragments. The director neither crashes nor stops serving,
// and a packet that belongs to no connection is answered by the host's own stack.

import { expect, test } from 'vitest';
import { parseIp } from '../../src/model/address.js';
import {
  Capture,
  configText,
  Director,
  inject,
  Lab,
  labNeeds,
  request,
  serverAt,
  startHttp,
  topologies,
  urlOf,
  vip,
  vip6,
  waitFor,
} from '../support/lab/index.js';
import { buildFrame } from '../support/packets.js';
import { requires } from '../support/require.js';

type Wire = { readonly mac: string; readonly from: string; readonly to: string };

function ip(text: string) {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
}

function tcpFrame(
  wire: Wire,
  port: number,
  sourcePort: number,
  flags: string,
  payload = new Uint8Array(),
): Uint8Array {
  return buildFrame(
    {
      protocol: 'tcp',
      source: ip(wire.from),
      sourcePort,
      destination: ip(wire.to),
      destinationPort: port,
      flags,
    },
    wire.mac,
    payload,
  );
}

/** A copy with some bytes changed: [offset, value]…; what is beyond the end is left out. */
function changed(frame: Uint8Array, ...bytes: readonly (readonly [number, number])[]): Uint8Array {
  const copy = Uint8Array.from(frame);
  for (const [offset, value] of bytes) if (offset < copy.length) copy[offset] = value;
  return copy;
}

/** Small and repeatable: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A SYN in every broken shape that the lengths of its headers allow, and thousands with random bytes changed. */
function brokenFrames(wire: Wire): readonly Uint8Array[] {
  const syn = tcpFrame(wire, 80, 4000, 'S', new Uint8Array(100));
  const udp = buildFrame(
    {
      protocol: 'udp',
      source: ip(wire.from),
      sourcePort: 5,
      destination: ip(wire.to),
      destinationPort: 80,
      flags: '',
    },
    wire.mac,
    new Uint8Array(30),
  );
  const frames: Uint8Array[] = [];
  for (const whole of [syn, udp])
    for (let size = 14; size < whole.length; size++) frames.push(whole.slice(0, size));
  for (let value = 0; value < 256; value += 5) {
    for (let offset = 14; offset < 14 + 40; offset++) {
      if (!wire.from.includes(':') || !isInterfaceId(offset)) frames.push(changed(syn, [offset, value]));
    }
  }
  const next = random(7);
  for (let i = 0; i < 4000; i++) {
    const count = 1 + Math.floor(next() * 4);
    const bytes = Array.from(
      { length: count },
      () => [14 + Math.floor(next() * 80), Math.floor(next() * 256)] as const,
    );
    const isOfStranger = wire.from.includes(':') && bytes.some(([offset]) => isInterfaceId(offset));
    if (!isOfStranger || i < strangers) frames.push(changed(i % 2 === 0 ? syn : udp, ...bytes));
  }
  return frames;
}

/**
 * Each frame from or to a neighbour that nobody is makes an entry in the kernel's table of neighbours, which has room
 * for 1024 in all namespaces together: when it is full, no host of the machine finds anybody.
 */
const strangers = 200;

/** Offsets of an IPv6 frame at which source and destination say who it is on the link. */
function isInterfaceId(offset: number): boolean {
  return (offset >= 30 && offset < 38) || (offset >= 46 && offset < 54);
}

requires(...labNeeds).describe('hostile input', () => {
  for (const [method, topology, net] of [
    ['DR', topologies.dr(), 1],
    ['NAT', topologies.nat(), 2],
  ] as const) {
    requires(...labNeeds).test(
      `${method}: thousands of broken frames change nothing for others`,
      async () => {
        await using lab = await Lab.create(topology);
        const client = lab.host('client');
        const host = lab.host('director');
        await Promise.all(['server-a', 'server-b'].map((name) => startHttp(lab.host(name))));
        const services = [vip, vip6].flatMap((address) => [
          { address, port: 80, method, servers: [serverAt(address, net, 0), serverAt(address, net, 1)] },
          { address, port: 80, method, protocol: 'UDP' as const, servers: [serverAt(address, net, 0)] },
        ]);
        const director = await Director.start(host, configText(services));
        const mac = await host.mac('eth0');
        const frames = [
          ...brokenFrames({ mac, from: '10.1.0.10', to: vip }),
          ...brokenFrames({ mac, from: 'fd00:1::10', to: vip6 }),
        ];
        expect(await inject(client, 'eth0', frames)).toBeGreaterThan(frames.length * 0.9);
        for (const address of [vip, vip6]) {
          const { counts, failures } = await request(client, urlOf(address), 10);
          expect(failures).toEqual([]);
          expect(counts.size).toBe(2);
        }
        expect(director.process.exit).toBeUndefined();
        const { body } = await director.api('GET', '/v1/status');
        const { drops } = (body as { dataplane: { drops: { reason: string; count: string }[] } }).dataplane;
        expect(drops.some((drop) => BigInt(drop.count) > 0n)).toBe(true);
        expect(await director.stop()).toEqual({ code: 0, signal: undefined });
      },
    );
  }

  test('an ACK that belongs to no connection gets its RST from the host', async () => {
    await using lab = await Lab.create(topologies.dr());
    const client = lab.host('client');
    const host = lab.host('director');
    await startHttp(lab.host('server-a'));
    await Director.start(
      host,
      configText(
        [vip, vip6].map((address) => ({
          address,
          port: 80,
          method: 'DR',
          servers: [serverAt(address, 1, 0)],
        })),
      ),
    );
    const mac = await host.mac('eth0');
    for (const [from, to] of [
      ['10.1.0.10', vip],
      ['fd00:1::10', vip6],
    ] as const) {
      const capture = await Capture.start(client, 'eth0', `src host ${to} and tcp`);
      await inject(client, 'eth0', [tcpFrame({ mac, from, to }, 80, 4321, 'A')]);
      const lines = await waitFor('an answer', async () => {
        const seen = await capture.lines();
        return seen.length > 0 ? seen : undefined;
      });
      expect(lines.join('\n')).toContain('Flags [R]');
      expect(lines.join('\n')).toContain(mac);
    }
  });
});
