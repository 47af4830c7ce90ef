// The whole grammar: what stands outside all blocks.

import { blockOf, type KeywordBlock, keywords } from '../shapes.js';
import { staticAddresses } from './addresses.js';
import { directorShapes } from './director.js';
import { globalShapes, globalShapesLater } from './global-defs.js';
import { virtualServerShapes, virtualServerShapesLater } from './virtual-server.js';
import { vrrpShapes, vrrpShapesLater } from './vrrp.js';

export const rootBlock: KeywordBlock = keywords({
  now: {
    ...globalShapes,
    static_ipaddress: blockOf(staticAddresses, { repeats: true }),
    ...virtualServerShapes,
    ...vrrpShapes,
    ...directorShapes,
  },
  later: { ...globalShapesLater, ...virtualServerShapesLater, ...vrrpShapesLater },
  oldNames: { vrrp_track_file: 'track_file' },
});
