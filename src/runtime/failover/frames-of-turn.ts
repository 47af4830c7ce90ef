// The machine's links as of this turn of the event loop: to ask the kernel dumps all of them with all addresses, and hundreds
// of virtual routers that become master in one turn would each do so. For what can't have changed in the turn by
// our own doing: MACs, carriers, addresses of the machine. What we have just made is looked for in the network itself.

import type { Link, Network } from '../../dataplane/network.js';
import type { Clock } from '../clock.js';

/** What announces and asks: the network, but for links. `links` throws what the network's throws, and asks again then. */
export function framesOfTurn(
  network: Network,
  clock: Pick<Clock, 'soon'>,
): Pick<Network, 'links' | 'sendFrame' | 'listenForFrames' | 'stopListeningForFrames'> {
  let known: readonly Link[] | undefined;
  return {
    links: () => {
      if (known !== undefined) return known;
      known = network.links();
      clock.soon(() => {
        known = undefined;
      });
      return known;
    },
    sendFrame: (device, frame) => network.sendFrame(device, frame),
    listenForFrames: (filter) => network.listenForFrames(filter),
    stopListeningForFrames: (device) => network.stopListeningForFrames(device),
  };
}
