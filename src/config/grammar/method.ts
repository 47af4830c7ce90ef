// Form of a forwarding method, with the words that ipvsadm has for it.

import { argumentsOf, keyword } from '../shapes.js';
import { oneOf, port } from '../values.js';

/** What ipvsadm lists for the methods, and what its options are called. */
const otherNames = {
  route: 'DR',
  gatewaying: 'DR',
  masq: 'NAT',
  masquerading: 'NAT',
  tunnel: 'TUN',
  ipip: 'TUN',
};

/** NAT, DR, or TUN with its kind. */
export const methodShape = keyword(
  argumentsOf({
    required: [oneOf(['NAT', 'DR', 'TUN'], { otherNames })],
    options: { type: [oneOf(['ipip', 'gue', 'gre'])], port: [port], nocsum: [], csum: [], remcsum: [] },
  }),
);
