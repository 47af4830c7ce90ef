// A large text in slices: the same result, and the caller gets its turn often enough that nothing else waits long.
import { expect, test } from 'vitest';
import { parseConfigInSlices, parseSteps } from '../../../src/config/index.js';
import { parseText } from '../../support/parse-config.js';

const services = 300;
const text = Array.from({ length: services }, (_, i) => {
  const servers = Array.from(
    { length: 10 },
    (_, j) => `real_server 192.168.${j}.1 ${8000 + i} {\nweight ${j}\nTCP_CHECK {\nconnect_timeout 3\n}\n}\n`,
  );
  return `virtual_server 10.0.${i >> 8}.${i & 255} 80 {\nlvs_sched wlc\nlvs_method NAT\nprotocol TCP\n${servers.join('')}}\n`;
}).join('');
const request = { file: 'director.conf', text };

test('the result is that of the whole', async () => {
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  const result = await parseConfigInSlices(request, pause);
  expect(result).toEqual(parseText(text));
  expect(result.config?.virtualServers).toHaveLength(services);
  expect(pauses).toBeGreaterThan(services);
});

test('a slice is a few hundred lines, one service, or some dozens of its servers', () => {
  const lines = text.split('\n').length;
  expect([...parseSteps(request)].length).toBeGreaterThanOrEqual(Math.floor(lines / 512) + services);
  const server = (i: number) => `real_server 10.1.${i >> 8}.${i & 255} 80 { weight 1 }\n`;
  const many = Array.from({ length: 10_000 }, (_, i) => server(i)).join('');
  const one = `virtual_server 10.0.0.1 80 {\nlvs_sched wlc\nlvs_method NAT\nprotocol TCP\n${many}}`;
  expect([...parseSteps({ file: 'a', text: one })].length).toBeGreaterThan(150);
  const laugh = '$A= \\\n x \\\n y\n~SEQ(B,1,20000) $A';
  expect([...parseSteps({ file: 'a', text: laugh, lenient: true })].length).toBeGreaterThan(100);
});

test('failover in slices: a virtual router, or some dozens of its addresses', () => {
  const routers = 3_000;
  const instance = (i: number, addresses: string) =>
    `vrrp_instance r${i} {\ninterface e${i}\nvirtual_router_id ${(i % 255) + 1}\nvirtual_ipaddress {\n${addresses}}\n}\n`;
  const all = Array.from({ length: routers }, (_, i) =>
    instance(i, `10.${(i >> 8) & 255}.${i & 255}.1\n10.${(i >> 8) & 255}.${i & 255}.2\n`),
  );
  const members = Array.from({ length: routers }, (_, i) => `r${i}`).join('\n');
  const group = `vrrp_sync_group g {\ngroup {\n${members}\n}\n}\n`;
  const request = { file: 'a', text: all.join('') + group };
  const steps = [...parseSteps(request)];
  const lines = request.text.split('\n').length;
  expect(steps.length).toBeGreaterThanOrEqual(Math.floor(lines / 512) + routers);
  expect(parseText(request.text).config?.failover.routers).toHaveLength(routers);
  const addresses = Array.from({ length: 10_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}\n`).join('');
  expect([...parseSteps({ file: 'a', text: instance(1, addresses) })].length).toBeGreaterThan(150);
});
