// `director switchover`: hands mastership to the peer, make before break, and says who has it then. Exit code 1 when
// nobody took over: this director is master again.

import type { SwitchoverOutcome } from '../runtime/failover/switchover.js';
import {
  type AddVerb,
  clientOf,
  Exit,
  exitCodes,
  jsonOption,
  print,
  printJson,
  socketOption,
} from './command.js';

type Options = {
  readonly socket: string;
  readonly json?: true;
  readonly wait: boolean;
  readonly allowPreemption?: true;
};

export const addSwitchover: AddVerb = (program) => {
  program
    .command('switchover')
    .description(
      'hand virtual routers over to the peer: one by name, a sync group, or all that are master here',
    )
    .argument('[name]', 'virtual router or sync group')
    .option('--no-wait', 'do not wait for the peer')
    .option('--allow-preemption', 'the opposite: after a switchover, priorities decide again')
    .addOption(socketOption())
    .addOption(jsonOption())
    .action(switchover);
};

async function switchover(name: string | undefined, options: Options): Promise<void> {
  const target = name === undefined ? {} : { router: name };
  if (options.allowPreemption) return allowPreemption(target, options);
  const answer = await clientOf(options).post('/v1/switchover', { ...target, wait: options.wait });
  const { outcomes } = answer as { readonly outcomes: readonly SwitchoverOutcome[] };
  if (options.json) printJson(answer);
  else for (const { router, text } of outcomes) print(`${router}: ${text}\n`);
  if (outcomes.some(({ kind }) => kind !== 'taken-over' && kind !== 'waiting'))
    throw new Exit(exitCodes.failed);
}

async function allowPreemption(target: object, options: Options): Promise<void> {
  const answer = await clientOf(options).post('/v1/preemption', target);
  if (options.json) return printJson(answer);
  const { virtualRouters } = answer as { readonly virtualRouters: readonly string[] };
  for (const router of virtualRouters) print(`${router}: priorities decide again\n`);
}
