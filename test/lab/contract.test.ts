// The contract of data planes, kept by the native one: it takes over every device of its network namespace, so the
// contract's own test file runs in one that was made for it.

import { expect } from 'vitest';
import { Lab, labNeeds, topologies } from '../support/lab/index.js';
import { requires } from '../support/require.js';

const { test } = requires(...labNeeds);

test('the native data plane keeps the contract', async () => {
  await using lab = await Lab.create(topologies.nat());
  const report = await lab
    .host('director')
    .exec(['env', 'UVS_CONTRACT_NATIVE=1', 'npx', 'vitest', 'run', 'test/contract/dataplane.test.ts']);
  expect(report).toMatch(/\d+ passed/);
  expect(report).not.toMatch(/[1-9]\d* (failed|skipped)/);
});
