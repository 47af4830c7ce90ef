// What the real ipvsadm did with the kernel's IPVS, command by command, against `director ipvsadm` and a director: the same
// output, complaints and exit codes. Where ours differs on purpose is a table below.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isIpvsadm, runIpvsadm } from '../../src/cli/ipvsadm.js';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import { changeOf } from '../../src/ipvsadm/changes.js';
import { parseCommand } from '../../src/ipvsadm/parse.js';
import { Refusal } from '../../src/ipvsadm/scan.js';
import { createDirector } from '../../src/runtime/create-director.js';
import type { Director } from '../../src/runtime/director.js';
import { type RecordedCommand, type RecordedScenario, recordedNames } from '../support/recorded-ipvsadm.js';

// The names of hosts are this machine's business.
vi.mock('node:dns/promises', () => ({
  lookup: () => Promise.reject(new Error('not found')),
  lookupService: () => Promise.reject(new Error('not found')),
}));

const scenarios = JSON.parse(
  readFileSync(new URL('ipvsadm.json', import.meta.url), 'utf8'),
) as readonly RecordedScenario[];

/** Scenario -> why ours is another. */
const deviations: Readonly<Record<string, string>> = {
  'a weight and a port that mean nothing': 'the kernel takes weights above 65535 and port 0 of a server',
  'a restore that fails half-way': 'all lines of a restore are made or none',
  programs: 'the texts of help and version are ours',
};

/** What a command needs that uvs does not have yet. */
function missingFeature({ run }: RecordedCommand): string | undefined {
  const parsed = parseCommand(run.split(' ').slice(1), recordedNames);
  if (parsed.kind !== 'command') return undefined;
  try {
    changeOf(parsed.command);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return /^(.*) is not in effect yet$|(has nothing that .*)$/.exec(error.message)?.[0];
  }
}

const folder = mkdtempSync(join(tmpdir(), 'uvs-ipvsadm-'));
const socket = join(folder, 'director.sock');
let director: Director;

beforeEach(async () => {
  director = createDirector({ configText: '' }, { dataplane: new MemoryDataplane(), socket });
  await director.start();
});
afterEach(() => director.stop());
afterAll(() => rmSync(folder, { recursive: true }));

async function run({ run: line, stdin = '' }: Pick<RecordedCommand, 'run' | 'stdin'>) {
  const [program, ...args] = line.split(' ');
  if (!isIpvsadm(program)) throw new Error(`not one of ours: ${line}`);
  const text = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((piece) => {
      text[name] += String(piece);
      return true;
    }),
  );
  const code = await runIpvsadm(program, ['--socket', socket, ...args], () => Promise.resolve(stdin));
  for (const spy of spies) spy.mockRestore();
  return { ...text, stdout: text.stdout.replace(/\(size=\d+\)/, '(size=4096)'), code };
}

/** ipvsadm forgets thresholds when it saves; ours are taken by its restore. */
const forgets = (text: string) => text.replaceAll(/ -[xy] \d+(?= |$)/gm, '');

describe('as ipvsadm', () => {
  for (const { name, commands } of scenarios) {
    if (deviations[name] !== undefined) continue;
    const missing = commands.map(missingFeature).find((feature) => feature !== undefined);
    test(name, async ({ skip }) => {
      if (missing !== undefined) skip(`golden feature: ${missing}`);
      for (const [index, command] of commands.entries()) {
        const { stdout, stderr, code } = command;
        const ours = await run(command);
        if (/^ipvsadm(-save| -S| --save)/.test(command.run)) ours.stdout = forgets(ours.stdout);
        expect(ours, `${index}: ${command.run}`).toEqual({ stdout, stderr, code });
      }
    });
  }

  test('but for what is recorded, too', () => {
    const names = scenarios.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(deviations)));
  });
});

describe('other than ipvsadm', () => {
  const said = async (line: string, stdin = '') => run({ run: line, stdin });
  const web = '-t 10.0.0.1:80';

  beforeEach(async () => {
    await said(`ipvsadm -A ${web} -s rr`);
  });

  test('all lines of a restore are made or none, and the line is named', async () => {
    const before = await said('ipvsadm -Sn');
    const input = '# a comment\n\n-A -t 10.0.0.2:80 -s rr\n-A -t 10.0.0.1:80\n-A -t 10.0.0.3:80\n';
    expect(await said('ipvsadm -R', input)).toEqual({
      stdout: '',
      stderr: 'line 4: Service already exists; nothing was changed\n',
      code: 255,
    });
    expect(await said('ipvsadm-restore', '-A -t 10.0.0.2:80\n-A -q\n')).toEqual({
      stdout: '',
      stderr: 'line 2: -q: unknown option; nothing was changed\n',
      code: 255,
    });
    expect(await said('ipvsadm -R', '-L -n\n')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^line 1: --list changes nothing/),
    });
    expect(await said('ipvsadm -Sn')).toEqual(before);
  });

  test('what is saved is restored whole', async () => {
    await said(`ipvsadm -a ${web} -r 10.1.0.1 -m -w 3 -x 100 -y 50`);
    await said('ipvsadm -A -u [fd00::1]:53 -s sh -b sh-port -o');
    await said('ipvsadm -a -u [fd00::1]:53 -r [fd01::1]:53 -g -w 0');
    const saved = await said('ipvsadm-save -n');
    expect(saved.stdout).toContain('-w 3 -x 100 -y 50\n');
    await said('ipvsadm -C');
    expect(await said('ipvsadm -R', saved.stdout)).toEqual({ stdout: '', stderr: '', code: 0 });
    expect(await said('ipvsadm-save -n')).toEqual(saved);
    expect(await said('ipvsadm-restore', saved.stdout)).toMatchObject({ code: 0 });
    expect(await said('ipvsadm-save -n')).toEqual(saved);
  });

  test.each([
    [`-a ${web} -r 10.1.0.1 -w 65536`, /^the weight 65536 is more than 65535/],
    [`-a ${web} -r 10.1.0.1:0 -m`, /^a server needs a port/],
    [`-a ${web} -r 10.1.0.1 -i`, /^forwarding by TUN is not in effect yet/],
    ['-A -f 3', /^a service by firewall mark is not in effect yet/],
    ['-A --sctp-service 10.0.0.1:9', /^a service of SCTP is not in effect yet/],
    ['-A -u 10.0.0.1:5060 -p --pe sip', /^the persistence engine sip is not in effect yet/],
    ['-A -t 10.0.0.2:80 -b flag-1', /^the scheduler wlc has nothing that flag-1 would change/],
    ['--start-daemon master --mcast-interface eth0', /^the synchronisation of connections is not/],
  ])('%s is refused in words', async (args, words) => {
    expect(await said(`ipvsadm ${args}`)).toEqual({
      stdout: '',
      stderr: expect.stringMatching(words),
      code: 255,
    });
  });

  test('help and version are ours', async () => {
    expect((await said('ipvsadm -h')).stdout).toMatch(/^ipvsadm v1\.31 \(director [\s\S]*-R < FILE/);
    expect((await said('ipvsadm -v')).stdout).toMatch(/^ipvsadm v1\.31 /);
    expect(await said('ipvsadm-save -x')).toMatchObject({ code: 1, stdout: '' });
  });

  test('where no director answers it is said as by every verb', async () => {
    expect(await runIpvsadm('ipvsadm', ['--socket', join(folder, 'none'), '-Ln'])).toBe(3);
  });
});
