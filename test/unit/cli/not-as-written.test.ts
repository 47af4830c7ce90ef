// A file that asks for more than is in effect: refused, or with --lenient served with marks for as long as it runs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../../src/cli/program.js';
import { MemoryDataplane } from '../../../src/dataplane/memory.js';
import type { IpAddress } from '../../../src/model/address.js';
import { createDirector } from '../../../src/runtime/create-director.js';
import type { Director } from '../../../src/runtime/director.js';
import { FakeProbes } from '../../support/fake-probes.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-written-'));
const [file, socket] = [join(folder, 'director.conf'), join(folder, 'director.sock')];
let director: Director | undefined;

afterEach(async () => {
  await director?.stop();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const service = (address: string, method: string, more = '', check = '') => `
virtual_server ${address} 80 {
  lvs_sched rr
  lvs_method ${method}
  protocol TCP
  ${more}
  real_server 10.1.0.1 80 {
    ${check}
  }
}
`;
const httpCheck = 'HTTP_GET {\n url {\n path /\n status_code 200\n }\n }';
const first = `${service('10.0.0.1', 'NAT', 'sorry_server_inhibit', httpCheck)}${service('10.0.0.2', 'NAT')}`;

async function ask(verb: string, ...args: readonly string[]) {
  const text = { stdout: '', stderr: '' };
  const capture = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((piece) => {
      text[name] += String(piece);
      return true;
    });
  const spies = [capture('stdout'), capture('stderr')];
  const code = await runCommandLine([verb, '--socket', socket, ...args]);
  for (const spy of spies) spy.mockRestore();
  return { code, ...text };
}

let dataplane: MemoryDataplane;

async function start(lenient: boolean): Promise<void> {
  const probes = new FakeProbes().probes;
  dataplane = new MemoryDataplane();
  director = createDirector({ configFile: file }, { dataplane, socket, probes, lenient });
  await director.start();
}

test('--lenient: served without, marked in status, list and JSON; left out, and named there', async () => {
  writeFileSync(file, first);
  await start(true);
  const status = await ask('status');
  expect(status.stdout).toContain('servers        2, checked by nobody\n');
  expect(status.stdout).toContain(
    'not as written tcp 10.0.0.1:80: served without sorry_server_inhibit, HTTP_GET\n',
  );
  expect((await ask('list', '-n')).stdout).toContain(
    'TCP  10.0.0.1:80 rr [without sorry_server_inhibit, HTTP_GET]\n',
  );
  const { services } = JSON.parse((await ask('list', '--json')).stdout);
  expect(services).toMatchObject([
    { notAsWritten: ['sorry_server_inhibit', 'HTTP_GET'], servers: [{ isChecked: false }] },
    { notAsWritten: [] },
  ]);

  // A connection keeps the service that the next file leaves out.
  const second = { kind: 'endpoint', protocol: 'tcp', address: '10.0.0.2' as IpAddress, port: 80 } as const;
  dataplane.setCounts(second, { address: '10.1.0.1' as IpAddress, port: 80 }, { active: 1, inactive: 0 });
  writeFileSync(file, `${service('10.0.0.1', 'NAT')}${service('10.0.0.2', 'TUN')}`);
  const reload = await ask('reload');
  expect(reload.stderr).toContain('this service is left out: forwarding by TUN is not in effect yet');
  expect(reload.stdout).toContain('not served: tcp 10.0.0.2:80 (forwarding by TUN is not in effect yet)\n');
  expect((await ask('status')).stdout).toMatch(
    /^not served {5}tcp 10\.0\.0\.2:80: forwarding by TUN is not in effect yet \(.*director\.conf:12\)$/m,
  );
  const list = (await ask('list', '-n')).stdout;
  expect(list).toContain('TCP  10.0.0.1:80 rr\n');
  expect(list).toContain('TCP  10.0.0.2:80 rr [removed, draining]\n');
  expect(list).toMatch(/\n# not served: tcp 10\.0\.0\.2:80: forwarding by TUN is not in effect yet\n$/);
  expect(JSON.parse((await ask('status', '--json')).stdout).leftOut).toMatchObject([
    { name: 'tcp 10.0.0.2:80', reason: 'forwarding by TUN' },
  ]);
});

test.each([
  ['a method', service('10.0.0.1', 'TUN')],
  ['a keyword', service('10.0.0.1', 'NAT', 'sorry_server_inhibit')],
  ['a checker', service('10.0.0.1', 'NAT', '', httpCheck)],
  ['a mark', service('10.0.0.1', 'NAT').replace('10.0.0.1 80', 'fwmark 1')],
])('a reload to %s that is not in effect is refused, and the running service stays', async (_, next) => {
  writeFileSync(file, service('10.0.0.1', 'NAT'));
  await start(false);
  writeFileSync(file, next);
  const { code, stdout, stderr } = await ask('reload');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/: error: .* not in effect yet/);
  expect((await ask('list', '-n')).stdout).toContain('TCP  10.0.0.1:80 rr\n  -> 10.1.0.1:80');
});
