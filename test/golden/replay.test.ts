// The same choice as the kernel's IPVS: every scenario recorded from a live kernel whose features exist is replayed
// through the whole path on memory_link. UVS_GOLDEN_DIR replays another folder's recordings.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { missingFeature, replay, type Scenario } from './scenario.js';
import { missingStateFeature, replayStates, type StateStep } from './states.js';

const folder = process.env.UVS_GOLDEN_DIR ?? import.meta.dirname;
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const scheduling = (read('scheduling.json') as { scenarios: Record<string, Scenario> }).scenarios;
const states = read('states.json') as Record<string, StateStep[]>;

let passed = 0;
let failed = 0;
const skipped = new Map<string, number>();

function golden(
  name: string,
  missing: string | undefined,
  run: (report: (text: string) => void) => Promise<void>,
) {
  if (missing !== undefined) {
    skipped.set(missing, (skipped.get(missing) ?? 0) + 1);
    test(name, ({ skip }) => skip(`golden feature: ${missing}`));
    return;
  }
  test(name, async () => {
    const differences: string[] = [];
    failed++;
    await run((text) => differences.push(text));
    expect(differences.slice(0, 20)).toEqual([]);
    failed--;
    passed++;
  });
}

describe('scheduling', () => {
  for (const [name, scenario] of Object.entries(scheduling)) {
    golden(name, missingFeature(scenario.steps), (report) => replay(scenario, report));
  }
});

describe('states', () => {
  for (const [name, steps] of Object.entries(states)) {
    golden(name, missingStateFeature(name), (report) => replayStates(name, steps, report));
  }
});

describe('the replay itself', () => {
  test('sees a wrong choice', async () => {
    const scenario = scheduling.common_rr;
    if (scenario === undefined) return;
    const twisted = scenario.steps.map((step) => (step.to === 'b' ? { ...step, to: 'c' } : step));
    const differences: string[] = [];
    await replay({ ...scenario, steps: twisted }, (text) => differences.push(text));
    expect(differences.length).toBeGreaterThan(0);
  });
});

afterAll(() => {
  const features = [...skipped].map(([feature, count]) => `${feature}: ${count}`).sort();
  const total = [...skipped.values()].reduce((sum, count) => sum + count, 0);
  const detail = features.length > 0 ? ` (${features.join(', ')})` : '';
  console.log(`golden: ${passed} passed, ${failed} failed, ${total} skipped${detail}`);
});
