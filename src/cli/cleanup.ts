// `director cleanup`: removes what a dead director has left, for the service manager and for whoever has killed both the
// director and its guardian.

import { removeLeftovers } from '../runtime/leftovers.js';
import { type AddVerb, print } from './command.js';

export const addCleanup: AddVerb = (program) => {
  program
    .command('cleanup')
    .description("remove addresses, routes and devices that a dead director has left; a living one's stay")
    .action(cleanup);
};

async function cleanup(): Promise<void> {
  await removeLeftovers();
  print('nothing of a dead director is left here\n');
}
