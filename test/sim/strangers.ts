// Packets that no director sent, all run long: from behind a router, broken, foreign, or of a neighbour that is
// configured differently. None of them may change anything.
import { micros } from '../../src/model/units.js';
import { encodeAdvert } from '../../src/vrrp/advert.js';
import { ip, vip } from '../unit/vrrp/fixtures.js';
import type { Packet } from './network.js';
import type { Simulation } from './simulation.js';

export function disturb(simulation: Simulation): void {
  const { random, scenario, schedule, directors } = simulation;
  const again = () => {
    for (const director of directors) {
      for (const name of director.held.keys()) {
        if (random.chance(0.3)) director.arrive(strangePacket(simulation, director.index, name));
      }
    }
    schedule.after(random.between(0.3, 1) * scenario.longest, again);
  };
  schedule.after(scenario.longest, again);
}

function strangePacket({ random, scenario }: Simulation, at: number, name: string): Packet {
  const router = scenario.directors[at]?.routers.get(name);
  if (router === undefined) throw new Error(`no router ${name}`);
  const { family, version, virtualRouterId, advertInterval, authentication, delivery } = router;
  const isMulticast = delivery.kind === 'multicast';
  const source = ip(family === 6 ? 'fe80::ff' : '10.0.0.250');
  const destination = isMulticast
    ? delivery.group
    : ip(family === 6 ? `fe80::${at + 1}` : `10.0.0.${at + 1}`);
  const addresses = router.addresses.map(({ address }) => address);
  // 254 too: before an owner, equal priority and a higher address win as well.
  const advert = {
    version,
    virtualRouterId,
    priority: 255,
    interval: advertInterval,
    addresses,
    authentication,
  };
  const encode = (changed: Partial<typeof advert>) =>
    encodeAdvert({ ...advert, ...changed }, { source, destination }, 'pseudo-header');
  const packet = (bytes: Uint8Array, ttl = 255): Packet => ({
    bytes,
    source,
    destination,
    ttl,
    isMulticast,
    virtualRouterId,
  });
  switch (random.below(7)) {
    case 0:
    case 1:
      return packet(encode({}), 254);
    case 2:
      return packet(encode({ virtualRouterId: virtualRouterId ^ 128 }));
    case 3:
      return packet(encode({ addresses: [vip(family === 6 ? 'fe80::77' : '10.0.0.77').address] }));
    case 4: {
      // One byte only: two could cancel each other out.
      const bytes = encode({});
      bytes[7] = (bytes[7] ?? 0) ^ (1 + random.below(255));
      return packet(bytes);
    }
    case 5:
      return packet(Uint8Array.from({ length: random.below(60) }, () => random.below(256)));
    default: {
      const wrong = version === 2 ? { interval: micros(advertInterval * 3) } : { interval: micros(0) };
      return packet(encode(wrong));
    }
  }
}
