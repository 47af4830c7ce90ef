// Form of the block `director { }`, which holds what keepalived has no word for.

import { shapesOf } from '../row.js';
import { directorRows } from '../rows/director.js';
import { argumentsOf, blockOf, keyword, keywords, names, type Shapes } from '../shapes.js';
import { network } from '../values.js';

/** `allow 10.0.0.0/8 fd00::/8`, and as a block; several add up. */
const networks = keyword(argumentsOf({ rest: network }), {
  block: names(network),
  needsBlock: false,
  repeats: true,
});

const director = keywords({
  now: {
    ...shapesOf(directorRows),
    allow: networks,
    deny: networks,
  },
});

export const directorShapes: Shapes = { director: blockOf(director) };
