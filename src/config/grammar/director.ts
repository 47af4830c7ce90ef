// Form of the block `director { }`, which holds what keepalived has no word for.

import { nodestRules } from '../../model/forwarding-table.js';
import { argumentsOf, blockOf, keyword, keywords, names, one, type Shapes, some } from '../shapes.js';
import {
  address,
  anyWord,
  either,
  endpoint,
  integer,
  network,
  oneOf,
  port,
  type ValueKind,
} from '../values.js';

/** `0`, `2-5`, `0,2-5`. */
const cpuList: ValueKind = {
  what: 'a list of CPUs (0 2-5)',
  problemOf: (text) =>
    /^\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*$/.test(text)
      ? undefined
      : { code: 'invalid-value', text: `${text} is not ${cpuList.what}` },
};

/** `allow 10.0.0.0/8 fd00::/8`, and as a block; several add up. */
const networks = keyword(argumentsOf({ rest: network }), {
  block: names(network),
  needsBlock: false,
  repeats: true,
});

const director = keywords({
  now: {
    interface: some(anyWord),
    workers: one(either('auto or a number from 1 to 256', oneOf(['auto']), integer(1, 256))),
    cpu: some(cpuList),
    io: one(oneOf(['af_packet', 'af_xdp', 'auto'])),
    offload: one(oneOf(['none', 'tc', 'xdp', 'auto'])),
    connections: one(integer(1, 100_000_000)),
    server_order: one(oneOf(['kernel', 'config'])),
    expire_nodest_conn: one(oneOf(nodestRules.map(String))),
    allow: networks,
    deny: networks,
    metrics: one(endpoint),
    peer: keyword(argumentsOf({ required: [address], optional: [port] })),
    peer_key: one(anyWord),
  },
});

export const directorShapes: Shapes = { director: blockOf(director) };
