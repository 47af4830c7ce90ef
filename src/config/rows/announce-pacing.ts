// garp_group { }, and vrrp_garp_interval and vrrp_gna_interval of global_defs: how far apart announcements are.

import type { Pacing, Pause } from '../../model/failover-config.js';
import { micros } from '../../model/units.js';
import { time } from '../notations.js';
import { word } from '../print-words.js';
import { own, type Table } from '../row.js';
import { names, one, splitBlock } from '../shapes.js';
import { anyWord } from '../values.js';

const none = () => micros(0);
const always = { isPrinted: () => true };

/** In global_defs: of the devices that are in no group. */
export const pauseRows: Table<Pause, unknown> = {
  arp: own('vrrp_garp_interval', time(), none),
  na: own('vrrp_gna_interval', time(), none),
};

type PacingReading = { readonly devices: readonly string[] };

/** Which devices are a group's own is known before. */
export const pacingRows: Table<Pacing['groups'][number], unknown, PacingReading> = {
  arp: own('garp_interval', time(), none, always),
  na: own('gna_interval', time(), none, always),
  devices: {
    shapes: { interface: one(anyWord), interfaces: splitBlock(names(anyWord)) },
    read: (_, { devices }) => devices,
    print: (value) => [['interfaces', value.map((device) => word(device))]],
  },
};
