// Names in place of numbers, as far as the machine knows them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPortNames, resolveNames } from '../../../src/cli/names.js';
import type { IpAddress } from '../../../src/model/address.js';

test('ports by a file in the form of /etc/services; the first name counts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'uvs-names-'));
  const file = join(folder, 'services');
  writeFileSync(file, '# comment\nhttp\t\t80/tcp\twww\t# WorldWideWeb\nwww 80/tcp\ndomain 53/udp\nodd\n');
  expect([...readPortNames(file)]).toEqual([
    ['80/tcp', 'http'],
    ['53/udp', 'domain'],
  ]);
  expect(readPortNames(join(folder, 'missing')).size).toBe(0);
  rmSync(folder, { recursive: true });
});

test('loopback has a name; an address without one stays a number', async () => {
  const loopback = { address: '127.0.0.1' as IpAddress, port: 1 };
  const name = await resolveNames([loopback]);
  expect(name(loopback, 'tcp')).toMatch(/^localhost\S*:(1|tcpmux)$/);
  expect(name({ address: 'fd00::1' as IpAddress, port: 64_999 }, 'tcp')).toBe('[fd00::1]:64999');
});
