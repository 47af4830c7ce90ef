// Every checker that uvs has. The first is the one that "stands inside …" names for a setting that all of them share.

import { tcpCheck } from './tcp-check.js';

export const checkers = [tcpCheck] as const;
