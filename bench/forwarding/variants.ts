// The four ways of forwarding that are compared, each in a network of its own that stays up for the whole bench:
// the kernel's plain routing, nft DNAT with conntrack, the director's NAT, the director's DR.

import {
  configText,
  Director,
  type Host,
  Lab,
  serverAt,
  startHttp,
  startIperf,
  topologies,
  vip,
} from '../../test/support/lab/index.js';

export type VariantName = 'plain routing' | 'nft DNAT' | 'uvs NAT' | 'uvs DR';

export type Variant = {
  readonly name: VariantName;
  readonly lab: Lab;
  readonly client: Host;
  /** Where the client sends to. */
  readonly target: string;
  readonly director: Director | undefined;
};

const iperfPort = 5201;

export const builders: Readonly<Record<VariantName, () => Promise<Variant>>> = {
  'plain routing': () => build('plain routing', 'NAT', async (lab) => ({ lab, target: '10.2.0.21' })),
  'nft DNAT': () =>
    build('nft DNAT', 'NAT', async (lab) => {
      const rules = `table ip standin { chain prerouting {
        type nat hook prerouting priority dstnat;
        ip daddr ${vip} tcp dport { 80, ${iperfPort} } dnat to 10.2.0.21
      }
      }`;
      await lab.host('director').exec(['nft', '-f', '-'], { stdin: rules });
      return { lab, target: vip };
    }),
  'uvs NAT': () => build('uvs NAT', 'NAT', (lab) => withDirector(lab, 'NAT')),
  'uvs DR': () => build('uvs DR', 'DR', (lab) => withDirector(lab, 'DR')),
};

type Forwarding = { readonly lab: Lab; readonly target: string; readonly director?: Director };

async function build(
  name: VariantName,
  method: 'NAT' | 'DR',
  forward: (lab: Lab) => Promise<Forwarding>,
): Promise<Variant> {
  const lab = await Lab.create(method === 'DR' ? topologies.dr() : topologies.nat());
  try {
    const client = lab.host('client');
    // Thousands of connections a second need all the ports there are.
    await client.exec(['sysctl', '-q', '-w', 'net.ipv4.ip_local_port_range=1024 65535']);
    await startHttp(lab.host('server-a'));
    await startIperf(lab.host('server-a'), iperfPort);
    const { target, director } = await forward(lab);
    return { name, lab, client, target, director };
  } catch (error) {
    await lab.dispose();
    throw error;
  }
}

async function withDirector(lab: Lab, method: 'NAT' | 'DR'): Promise<Forwarding> {
  const net = method === 'DR' ? 1 : 2;
  const services = [80, iperfPort].map((port) => ({
    address: vip,
    port,
    method,
    servers: [serverAt(vip, net, 0, port)],
  }));
  return { lab, target: vip, director: await Director.start(lab.host('director'), configText(services)) };
}
