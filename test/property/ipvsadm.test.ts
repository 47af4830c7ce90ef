// Any words are understood or refused, never more; and what is saved is restored to the same.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCommand } from '../../src/ipvsadm/parse.js';
import { restoreLines } from '../../src/ipvsadm/restore.js';
import { type SavedService, saveText } from '../../src/ipvsadm/save.js';
import { commandWords, optionWords } from '../../src/ipvsadm/words.js';
import { formatIp } from '../../src/model/address.js';
import { emptyConfig } from '../../src/model/diff.js';
import {
  forwardingMethods,
  maxPersistence_s,
  schedulerFlags,
  schedulers,
} from '../../src/model/forwarding-table.js';
import { addressService, endpointText, serviceKey } from '../../src/model/service-id.js';
import { applyChanges } from '../../src/runtime/changes.js';
import { recordedNames } from '../support/recorded-ipvsadm.js';

const letters = [
  ...commandWords.flatMap(({ shorts }) => shorts),
  ...optionWords.flatMap(({ short }) => short ?? []),
];
const word = fc.oneof(
  fc.constantFrom(
    ...commandWords.map(({ long }) => `--${long}`),
    ...optionWords.map(({ long }) => `--${long}`),
  ),
  fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 5 }).map((some) => `-${some.join('')}`),
  fc.constantFrom(
    '10.0.0.1:80',
    '10.1.0.1',
    '[fd00::1]:80',
    'rr',
    'sh-port',
    '3',
    '0',
    '-1',
    '255.255.0.0',
    'master',
    '',
    '-',
    '--',
  ),
  fc.string({ maxLength: 12 }),
);

test('any words are understood or refused', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      const parsed = parseCommand(args, recordedNames);
      expect(['command', 'refused', 'unknown-host']).toContain(parsed.kind);
      if (parsed.kind === 'refused') expect([1, 2, 255]).toContain(parsed.code);
    }),
    { numRuns: 2_000 },
  );
});

const port = fc.integer({ min: 1, max: 65_535 });
const service = fc
  .tuple(fc.constantFrom(4, 16), fc.constantFrom(...schedulers))
  .chain(([length, scheduler]) => {
    const address = fc.uint8Array({ minLength: length, maxLength: length }).map(formatIp);
    const server = fc.record({
      address,
      port,
      method: fc.constantFrom(...forwardingMethods),
      weight: fc.integer({ min: 0, max: 65_535 }),
      upperThreshold: fc.integer({ min: 100, max: 1_000 }),
      lowerThreshold: fc.integer({ min: 0, max: 100 }),
    });
    const flags = schedulerFlags.filter((flag) => flag.scheduler === scheduler).map(({ name }) => name);
    return fc.record({
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      address,
      port,
      scheduler: fc.constant(scheduler),
      flags: fc.subarray(flags),
      isOnePacket: fc.boolean(),
      persistence: fc.option(
        fc.record({
          timeout_s: fc.integer({ min: 1, max: maxPersistence_s }),
          prefixLength: fc.integer({ min: length === 4 ? 0 : 1, max: length * 8 }),
        }),
        { nil: undefined },
      ),
      isEveryPort: fc.boolean(),
      servers: fc.uniqueArray(server, { maxLength: 5, selector: endpointText }),
    });
  })
  .map(
    ({
      protocol,
      address,
      port,
      scheduler,
      flags,
      isOnePacket,
      persistence,
      isEveryPort,
      servers,
    }): SavedService => ({
      id: addressService(protocol, address, isEveryPort && persistence !== undefined ? 0 : port),
      scheduler,
      flags,
      onePacket: isOnePacket && protocol === 'udp',
      persistence,
      // Only NAT maps ports.
      realServers: servers.filter(({ method }) => method === 'nat'),
    }),
  );

test('what is saved is restored to the same', async () => {
  const services = fc.uniqueArray(service, {
    minLength: 1,
    maxLength: 5,
    selector: ({ id }) => serviceKey(id),
  });
  await fc.assert(
    fc.asyncProperty(services, async (list) => {
      const text = saveText(list, endpointText);
      const changes = restoreLines(text, recordedNames).map(({ change }) => change);
      const { config } = await applyChanges(emptyConfig, changes, () => undefined);
      expect(saveText(config.virtualServers, endpointText)).toBe(text);
      expect(config.virtualServers.map(({ id }) => id)).toEqual(list.map(({ id }) => id));
    }),
    { numRuns: 200 },
  );
});
