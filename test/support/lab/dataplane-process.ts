// A native data plane and network without control plane, as a process of its own in a host's namespace: it does what
// bare-dataplane.ts asks over a UNIX socket, one JSON object a line each way. Arguments: the socket, then the devices to
// attach to.

import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { createNativeDataplane } from '../../../src/dataplane/native.js';
import { createNativeNetwork } from '../../../src/dataplane/native-network.js';
import type { ForwardingTable } from '../../../src/model/forwarding-table.js';

export type Question =
  | { readonly kind: 'publish'; readonly table: ForwardingTable }
  | { readonly kind: 'connections' }
  | { readonly kind: 'services' }
  | { readonly kind: 'devices' }
  | {
      readonly kind: 'add-virtual-mac';
      readonly name: string;
      readonly parent: string;
      readonly mac: string;
    };

const [socket = '', ...interfaces] = process.argv.slice(2);
const dataplane = createNativeDataplane();
const network = createNativeNetwork();
await dataplane.start(
  { interfaces: interfaces.length === 0 ? undefined : interfaces, connections: 4096, cpu: undefined },
  (event) => console.log(JSON.stringify(event)),
);
await network.start((event) => console.log(JSON.stringify(event)));

createServer((peer) => {
  createInterface(peer).on('line', async (line) => {
    const answered = await answer(JSON.parse(line)).catch((error: unknown) => ({ error: String(error) }));
    peer.write(`${JSON.stringify(answered, plain)}\n`);
  });
}).listen(socket, () => console.log('ready'));

process.on('SIGTERM', async () => {
  await network.stop();
  await dataplane.stop();
  process.exit(0);
});

async function answer(question: Question): Promise<object> {
  switch (question.kind) {
    case 'publish':
      return { generation: await dataplane.publish(question.table) };
    case 'connections':
      return (await dataplane.connections(100)).connections;
    case 'services':
      return [...dataplane.services()];
    case 'devices':
      return dataplane.status().devices;
    case 'add-virtual-mac':
      await network.addVirtualMac(question.name, question.parent, question.mac);
      return {};
  }
}

/** Counters as numbers: those of a test are small. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
