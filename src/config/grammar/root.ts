// The whole grammar: what stands outside all blocks.

import { type KeywordBlock, keywords, splitBlock } from '../shapes.js';
import { staticAddresses } from './addresses.js';
import { directorShapes } from './director.js';
import { globalShapes, globalShapesLater } from './global-defs.js';
import { virtualServerShapes, virtualServerShapesLater } from './virtual-server.js';
import { vrrpShapes, vrrpShapesLater } from './vrrp.js';

export const rootBlock: KeywordBlock = keywords({
  now: {
    ...globalShapes,
    static_ipaddress: splitBlock(staticAddresses),
    ...virtualServerShapes,
    ...vrrpShapes,
    ...directorShapes,
  },
  later: { ...globalShapesLater, ...virtualServerShapesLater, ...vrrpShapesLater },
  oldNames: { vrrp_track_file: 'track_file' },
});
