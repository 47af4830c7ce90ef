// Changes of run time from one director to the next: what is taken up, and what is not.

import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Change } from '../../../src/model/diff.js';
import { effectiveConfig } from '../../../src/model/layers.js';
import { seconds } from '../../../src/model/units.js';
import { forgetHandedOver, handOver, startLayers } from '../../../src/runtime/start-layers.js';
import { ManualClock } from '../../support/manual-clock.js';
import { configOf } from '../../support/parse-config.js';
import { RecordingLog } from '../../support/recording-log.js';
import { config as configText, web } from '../../support/test-director.js';

const folder = mkdtempSync(join(tmpdir(), 'uvs-changes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = configOf(configText([1, 2]));
const [service] = file.virtualServers;
const [before] = service?.realServers ?? [];
if (before === undefined) throw new Error('unreachable');
const changes: readonly Change[] = [
  { kind: 'destination-changed', service: web, before, after: { ...before, weight: 9 } },
];

describe('changes of run time', () => {
  const socket = join(folder, 'director.sock');
  const log = new RecordingLog();
  let clock: ManualClock;
  const parts = (more: { version?: string; socket?: string } = {}) => ({
    socket,
    version: '1',
    clock,
    log,
    ...more,
  });
  const start = (more?: { version?: string; socket?: string }) =>
    startLayers(file, [], parts(more), () => undefined);

  beforeEach(async () => {
    clock = new ManualClock();
    await handOver(parts(), { file, changes });
  });

  test('are taken up, and again when the start has failed, until one has succeeded', async () => {
    const wanted = effectiveConfig({ file, changes });
    expect((await start()).config).toEqual(wanted);
    expect((await start()).layers.changes).toHaveLength(1);
    await forgetHandedOver(parts());
    expect(await start()).toEqual({ config: file, layers: { file, changes: [] } });
  });

  test('that took a setting away take it away again', async () => {
    const persistent = configOf(configText([1, 2], { service: 'persistence_timeout 50' }));
    const asked = [{ kind: 'update-service', service: web, set: { persistence: { timeout_s: 0 } } } as const];
    await forgetHandedOver(parts());
    const { layers } = await startLayers(persistent, asked, parts(), () => undefined);
    expect(layers.changes).toHaveLength(1);
    await handOver(parts(), layers);
    const { config } = await startLayers(persistent, [], parts(), () => undefined);
    expect(config.virtualServers[0]?.persistence).toBeUndefined();
  });

  test('are newer than what the start is asked for', async () => {
    const asked = [{ kind: 'add-service', service: web } as const];
    const { layers } = await startLayers(file, asked, parts(), () => undefined);
    expect(layers.changes).toHaveLength(1);
  });

  test('of another version, of more than a minute ago or of somebody else are not', async () => {
    const none = { config: file, layers: { file, changes: [] } };
    expect(await start({ version: '2' })).toEqual(none);
    expect(log.take().join()).toContain('why=they are of version 1');
    chmodSync(`${socket}.changes`, 0o666);
    expect(await start()).toEqual(none);
    expect(log.take().join()).toContain('is not a file of ours alone');
    chmodSync(`${socket}.changes`, 0o600);
    await clock.advance(seconds(61));
    expect(await start()).toEqual(none);
    expect(log.take().join()).toContain('older than a minute');
    writeFileSync(`${socket}.changes`, 'half a li');
    expect(await start()).toEqual(none);
  });

  test('that are none leave no file, and one that can not be written is told', async () => {
    const other = join(folder, 'other.sock');
    await handOver(parts({ socket: other }), { file, changes: [] });
    expect(existsSync(`${other}.changes`)).toBe(false);
    log.take();
    await handOver(parts({ socket: join(folder, 'nowhere', 'x') }), { file, changes });
    expect(log.take().join()).toContain('changes of run time end with this director');
  });
});
