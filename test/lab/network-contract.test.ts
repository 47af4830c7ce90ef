// The contract of networks, kept by the native one: it needs a wire and may change devices, so the contract's own test
// file runs in a namespace that was made for it, with a device for each end. The namespace ends with the run.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { requires } from '../support/require.js';

const { test } = requires('root', 'addon');

/** Everything that a case may have changed, made anew. */
const reset = `
ip link del uvs-near 2>/dev/null
ip link add uvs-near type veth peer name uvs-far &&
for device in uvs-near uvs-far; do
  echo 0 > /proc/sys/net/ipv4/conf/$device/rp_filter
  echo 1 > /proc/sys/net/ipv4/conf/$device/accept_local
  echo 0 > /proc/sys/net/ipv6/conf/$device/accept_dad
done &&
ip addr add 198.18.0.1/24 dev uvs-near && ip addr add 198.18.0.2/24 dev uvs-far &&
ip addr add fd00:18::1/64 dev uvs-near nodad && ip addr add fd00:18::2/64 dev uvs-far nodad &&
ip link set uvs-near up && ip link set uvs-far up`;

const script = `
ip link set lo up && echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter &&
export UVS_CONTRACT_NATIVE=1 UVS_CONTRACT_RESET='${reset}' && sh -c "$UVS_CONTRACT_RESET" &&
exec npx vitest run --reporter=verbose test/contract/network.test.ts`;

test('the native network keeps the contract', async () => {
  const run = promisify(execFile)('unshare', ['--net', 'sh', '-c', script], { env: withoutColour() });
  const report = await run.then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; stderr?: string }) => `${error.stdout}${error.stderr}`,
  );
  expect(report).toMatch(/\d+ passed/);
  expect(report).toContain('native');
  expect(report).not.toMatch(/[1-9]\d* (failed|skipped)/);
});

function withoutColour(): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: '1' };
}
