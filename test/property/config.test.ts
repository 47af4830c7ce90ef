// Printing a configuration and reading it again gives the same, and keepalived itself accepts what is printed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printConfig } from '../../src/config/index.js';
import { secondsText } from '../../src/config/print-words.js';
import { readTimer } from '../../src/config/values.js';
import { arbitraryConfig } from '../support/arbitrary-config.js';
import { asPrinted, parseText } from '../support/parse-config.js';
import { requires } from '../support/require.js';

test('parse(print(config)) is the config', () => {
  fc.assert(
    fc.property(arbitraryConfig(), (config) => {
      const { config: read, diagnostics } = parseText(printConfig(config));
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(asPrinted(read)).toEqual(asPrinted(config));
    }),
    { numRuns: 300 },
  );
});

test('seconds are printed with up to six decimals and read back to the microsecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_294_967_295_000_000 }), (value) => {
      expect(readTimer(secondsText(value as never))).toBe(value);
    }),
  );
});

/** A namespace with the devices that the configurations name; it goes with the process. */
const inNamespace =
  'ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && ' +
  'ip addr add 192.0.2.1/24 dev e0 && ip addr add 198.51.100.1/24 dev e1 && exec keepalived -t -f "$0"';

requires('root', 'pkg:keepalived').test('keepalived accepts what is printed without director { }', () => {
  const folder = mkdtempSync(join(tmpdir(), 'uvs-print-'));
  const file = join(folder, 'keepalived.conf');
  try {
    fc.assert(
      fc.property(arbitraryConfig({ plain: true }), (config) => {
        writeFileSync(file, printConfig(config, { withDirector: false }));
        const run = spawnSync('unshare', ['--net', 'sh', '-c', inNamespace, file], { encoding: 'utf8' });
        expect(remarks(`${run.stdout}${run.stderr}`)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** What keepalived says of the configuration, without what it says of this machine or of a weight sum of 0. */
function remarks(output: string): string[] {
  const ofMachine =
    /keepalived_script|SECURITY VIOLATION|exceeds total weight of real servers 0|hysteresis 0 >= quorum 0/;
  return output.split('\n').filter((line) => line !== '' && !ofMachine.test(line));
}
