// `director run` with data plane and network in memory, as a process of its own: for tests of signals, log and exit
// codes. Its device is eth0 with 10.0.0.1. Arguments: the configuration, the socket, the log's format, rules
// of ipvsadm.

// As in the program itself.
import '../../src/cli/early-signals.js';
import { reportFailure } from '../../src/cli/command.js';
import { run } from '../../src/cli/run.js';
import { MemoryDataplane } from '../../src/dataplane/memory.js';
import { MemoryNetwork } from '../../src/dataplane/memory-network.js';
import type { IpAddress } from '../../src/model/address.js';
import { systemClock } from '../../src/runtime/clock.js';
import type { LogFormat } from '../../src/runtime/log.js';

const [file = '', socket = '', logFormat = 'text', ipvsadmRules] = process.argv.slice(2);
const links = [{ name: 'eth0', addresses: [{ address: '10.0.0.1' as IpAddress, length: 24 }] }];
process.exitCode = await run(
  {
    file,
    socket,
    logFormat: logFormat as LogFormat,
    logLevel: 'info',
    ...(ipvsadmRules === undefined ? {} : { ipvsadmRules }),
  },
  { dataplane: new MemoryDataplane(), network: new MemoryNetwork({ clock: systemClock, links }) },
).then(() => 0, reportFailure);
