// Addresses and ports by the names that a command line of ipvsadm has: hosts by the system's resolver, ports by /etc/services.

import { lookup } from 'node:dns/promises';
import { type Names, UnknownHost } from '../ipvsadm/values.js';
import { type IpAddress, parseIp } from '../model/address.js';
import { readPorts } from './names.js';

/** Names as this machine knows them. A host is looked up when it is asked for, and then what asked begins again. */
export class LookedUp implements Names {
  private readonly hosts = new Map<string, IpAddress | undefined>();
  private ports: ReadonlyMap<string, number> | undefined;

  readonly host = (name: string): IpAddress | undefined => {
    if (!this.hosts.has(name)) throw new UnknownHost(name);
    return this.hosts.get(name);
  };

  readonly port: Names['port'] = (name, protocol) => {
    this.ports ??= readPorts('/etc/services');
    return this.ports.get(`${name}/${protocol}`);
  };

  /** What `ask` gives once all hosts that it names are looked up. */
  async during<T>(ask: () => T): Promise<T> {
    for (;;) {
      try {
        return ask();
      } catch (error) {
        if (!(error instanceof UnknownHost)) throw error;
        const found = await lookup(error.host, { family: 4 }).catch(() => undefined);
        this.hosts.set(error.host, found === undefined ? undefined : parseIp(found.address));
      }
    }
  }
}
