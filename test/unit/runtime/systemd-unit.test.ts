// The systemd unit: systemd itself must find nothing wrong with it.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { requires } from '../../support/require.js';

const unit = fileURLToPath(new URL('../../../examples/systemd/uvs.service', import.meta.url));

requires('pkg:systemd-analyze').test('systemd-analyze verify', () => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});
