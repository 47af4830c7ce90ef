// Replays one recorded walk of a connection through its states: after each packet the state, the seconds to expiry and
// the server's counts must be the kernel's. `>` is a packet of the client, `<` one of the server, `w3` three seconds.

import { type IpAddress, parseIp } from '../../src/model/address.js';
import type { Protocol } from '../../src/model/service-id.js';
import { MemoryDirector } from '../support/memory-director.js';
import type { TransportPacket } from '../support/packets.js';
import { CommandTable } from './scenario.js';

export type StateStep = {
  readonly step: string;
  readonly to: string;
  readonly state: string;
  readonly expires: number;
  readonly active: number;
  readonly inact: number;
};

/** Expiry was read up to a second late, on both sides. */
const expiryTolerance_s = 2;

/** What the walk needs that uvs does not have yet. */
export function missingStateFeature(name: string): string | undefined {
  if (name.startsWith('tun/')) return 'tun';
  return name.endsWith('/secure_tcp') ? 'secure_tcp' : undefined;
}

export async function replayStates(
  name: string,
  steps: readonly StateStep[],
  report: (difference: string) => void,
): Promise<void> {
  const protocol: Protocol = name.endsWith('/udp') ? 'udp' : 'tcp';
  const isNat = name.startsWith('nat/');
  const [client, vip, server] = ['172.16.0.1', '10.9.0.1', '10.1.0.1'].map(
    (text) => parseIp(text) as IpAddress,
  );
  if (client === undefined || vip === undefined || server === undefined) throw new Error('unreachable');
  const port = protocol === 'udp' ? 53 : 80;
  const director = new MemoryDirector({ a: server }, [vip]);
  const commands = new CommandTable();
  if (name.endsWith('/set_timeouts')) await commands.run('--set 100 20 30');
  const flag = protocol === 'udp' ? '-u' : '-t';
  await commands.run(`-A ${flag} ${vip}:${port} -s rr`);
  await commands.run(`-a ${flag} ${vip}:${port} -r ${server}:${port} ${isNat ? '-m' : '-g'}`);
  await director.publish(commands.table());

  for (const [i, { step, to, state, expires, active, inact }] of steps.entries()) {
    const at = `step ${i} ${step}`;
    const flags = step.slice(1).replace('x', '');
    if (step.startsWith('w')) director.wait(Number(flags));
    if (step.startsWith('>')) {
      const packet: TransportPacket = {
        protocol,
        source: client,
        sourcePort: 10_000,
        destination: vip,
        destinationPort: port,
        flags,
      };
      const [output] = director.fromClient(packet);
      const seen =
        output?.verdict === 'forward' && director.serverOf(output.packet) === 'a' ? 'out' : 'elsewhere';
      if (seen !== to) report(`${at}: ${seen} instead of ${to}`);
      if (isNat && output?.packet.destination !== server) report(`${at}: not addressed to the server`);
    }
    if (step.startsWith('<')) {
      const packet: TransportPacket = {
        protocol,
        source: server,
        sourcePort: port,
        destination: client,
        destinationPort: 10_000,
        flags,
      };
      const [output] = director.fromServer(packet);
      const back = output?.packet;
      const seen =
        output?.verdict === 'forward' &&
        back !== undefined &&
        'sourcePort' in back &&
        back.destination === client
          ? `client sees ${back.source}:${back.sourcePort}`
          : 'elsewhere';
      if (seen !== to) report(`${at}: ${seen} instead of ${to}`);
    }
    const [connection] = await director.connections();
    const seconds = (connection?.expires_ms ?? Number.NEGATIVE_INFINITY) / 1000;
    if (connection?.state !== state) report(`${at}: state ${connection?.state} instead of ${state}`);
    if (Math.abs(seconds - expires) > expiryTolerance_s)
      report(`${at}: expires in ${seconds} s instead of ${expires}`);
    const counts = director.services()[0]?.destinations[0];
    if (counts?.active !== active || counts.inactive !== inact) {
      report(`${at}: ${counts?.active} active, ${counts?.inactive} inactive instead of ${active}, ${inact}`);
    }
  }
}
