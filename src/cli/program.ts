// The table of verbs, and one command line's way through it. Each verb is a file of its own.

import { Command } from 'commander';
import { productVersion } from '../runtime/create-director.js';
import { addCheck } from './check.js';
import { addCleanup } from './cleanup.js';
import { exitCodes, print, printError, reportFailure } from './command.js';
import { addConnections } from './connections.js';
import { addDoctor } from './doctor.js';
import { isIpvsadm, runIpvsadm } from './ipvsadm.js';
import { addList } from './list.js';
import { addPlan, addReload } from './reload.js';
import { addRun } from './run.js';
import { addSave } from './save.js';
import { addStats } from './stats.js';
import { addStatus } from './status.js';
import { addSwitchover } from './switchover.js';

const verbs = [
  addRun,
  addCheck,
  addReload,
  addPlan,
  addSave,
  addStatus,
  addList,
  addConnections,
  addStats,
  addSwitchover,
  addDoctor,
  addCleanup,
];

/** Runs `director ARGS` and gives its exit code; what there is to say has been said. */
export function runCommandLine(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  // Its words are ipvsadm's own.
  if (isIpvsadm(name)) return runIpvsadm(name, rest);
  const program = new Command('director')
    .description('Userspace Virtual Server: IPVS, ipvsadm and keepalived in one program')
    .version(productVersion())
    .configureOutput({ writeOut: print, writeErr: printError })
    .exitOverride()
    .showHelpAfterError('(director --help says more)');
  for (const add of verbs) add(program);
  program.command('ipvsadm').description("ipvsadm's own commands and options: director ipvsadm -Ln");
  for (const verb of program.commands) {
    const naming = verb.options.some(({ long }) => long === '--file')
      ? 'a configuration is named by -f; '
      : '';
    verb.showHelpAfterError(`(${naming}director ${verb.name()} --help says more)`);
  }
  return program.parseAsync(args, { from: 'user' }).then(() => exitCodes.done, reportFailure);
}
