// The settings of checkers that speak to the server themselves: whom to connect to, and from where.

import type { IpAddress } from '../../model/address.js';
import { ip, text, whole } from '../notations.js';
import type { Report } from '../report.js';
import { optional, setting, type Table } from '../row.js';
import { type Block, settingOf } from '../tree.js';
import { integer, port } from '../values.js';
import type { CheckedServer, ServerAround } from './checker.js';

export type Connection = {
  readonly connectAddress: IpAddress;
  readonly connectPort: number;
  readonly bindAddress: IpAddress | undefined;
  /** 0: any. */
  readonly bindPort: number;
  readonly bindDevice: string | undefined;
  /** SO_MARK of the probe's socket; 0: none. */
  readonly fwmark: number;
};

export const connectionRows: Table<Connection, ServerAround> = {
  connectAddress: setting('connect_ip', ip, ({ address }) => address),
  connectPort: setting('connect_port', whole(port), (server) => server.port),
  bindAddress: optional('bindto', ip),
  bindPort: setting('bind_port', whole(port), () => 0),
  bindDevice: optional('bind_if', text()),
  fwmark: setting('fwmark', whole(integer(0, 4_294_967_295)), () => 0),
};

/** Says which addresses can't be meant. */
export function examineConnection(
  { connectAddress, connectPort, bindAddress }: Connection,
  block: Block,
  { serviceAddress, place }: CheckedServer,
  report: Report,
): void {
  if (connectPort === 0) {
    const message = 'the check has no port to connect to: this is a server of every port';
    report.add('port-missing', place, message, 'write connect_port in the checker');
  }
  const connectPlace = settingOf(block, 'connect_ip')?.arguments[0];
  if (connectPlace !== undefined && connectAddress === serviceAddress) {
    const message = `the check connects to the service's own address ${connectAddress}, not to the real server`;
    const help = 'remove connect_ip, or name an address of the real server';
    report.add('no-effect', connectPlace, message, help);
  }
  const bindPlace = settingOf(block, 'bindto')?.arguments[0];
  if (bindPlace !== undefined && bindAddress?.includes(':') !== connectAddress.includes(':')) {
    report.add('family-mismatch', bindPlace, `bindto and ${connectAddress} are not of one family`);
  }
}
