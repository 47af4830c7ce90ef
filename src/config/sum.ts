// How much was understood of a configuration, in numbers.

import type { DirectorConfig } from '../model/director-config.js';
import { scriptCommands } from '../model/script-commands.js';

export type ConfigSum = {
  /** With those that are left out. */
  readonly services: number;
  readonly servers: number;
  readonly notAsWritten: number;
  readonly leftOut: number;
  readonly virtualRouters: number;
  readonly staticAddresses: number;
  /** Tracked, of notifications and of FIFOs. */
  readonly scripts: number;
};

export function sumOf({ virtualServers, leftOut, failover, staticAddresses }: DirectorConfig): ConfigSum {
  return {
    services: virtualServers.length + leftOut.length,
    servers: virtualServers.reduce((sum, { realServers }) => sum + realServers.length, 0),
    notAsWritten: virtualServers.filter(({ notAsWritten }) => notAsWritten.length > 0).length,
    leftOut: leftOut.length,
    virtualRouters: failover.routers.length,
    staticAddresses: staticAddresses.length,
    scripts: scriptCommands(failover).length,
  };
}
