// Form of the VRRP and BFD blocks and of what they track. Values are checked also where a keyword has no effect yet.

import { shapesOf } from '../row.js';
import { pacingRows } from '../rows/announce-pacing.js';
import { groupNotifyRows, notifyRows } from '../rows/notify.js';
import { fileRows, scriptRows, weightOfScriptRows } from '../rows/tracked.js';
import { routerRows } from '../rows/vrrp-instance.js';
import { groupRows } from '../rows/vrrp-sync-group.js';
import {
  argumentsOf,
  blockOf,
  blocksOf,
  choice,
  each,
  flag,
  items,
  keyword,
  keywords,
  mail,
  maybe,
  names,
  one,
  type Shapes,
  some,
  splitBlock,
} from '../shapes.js';
import { address, anyWord, blockName, boolean, decimal, integer, oneOf, timer } from '../values.js';
import { routesOrRules, tracked, weight } from './addresses.js';

const name = argumentsOf({ required: [blockName] });

const trackShapesLater: Shapes = {
  track_process: splitBlock(tracked(anyWord, 254)),
  track_bfd: splitBlock(tracked(anyWord, 253)),
};

const hmac = keywords({
  now: {
    key: keyword(argumentsOf({ required: [integer(0, 255)], rest: anyWord }), { repeats: true }),
    active_key: one(integer(0, 255)),
    time_window: one(timer()),
    anti_replay: some(anyWord),
    mode: some(anyWord),
  },
});

const instance = keywords({
  now: {
    ...shapesOf(routerRows),
    ...shapesOf(notifyRows),
  },
  later: {
    ...each(one(anyWord), 'vrf kernel_rx_buf_size lvs_sync_daemon_interface'),
    use_ipvlan: keyword(argumentsOf({ optional: [anyWord, anyWord, anyWord] })),
    ...each(
      flag,
      'use_vmac_addr vmac_xmit_base track_src_ip promote_secondaries ' +
        'timer_expired_backup thread_timer_expired linkbeat_use_polling',
    ),
    smtp_alert: { ...choice, ...mail },
    old_unicast_checksum: maybe(oneOf(['never'])),
    virtual_rules: splitBlock(routesOrRules),
    auth_hmac: blockOf(hmac),
    ...trackShapesLater,
  },
  misspelt: { lvs_sync_daemon_inteface: 'lvs_sync_daemon_interface' },
  never: {
    debug: keyword(argumentsOf({ optional: [integer(0, 4)] }), {
      remark: 'director status says why a state is what it is',
    }),
  },
});

const syncGroup = keywords({
  now: {
    ...shapesOf(groupRows),
    ...shapesOf(groupNotifyRows),
  },
  later: {
    ...trackShapesLater,
    smtp_alert: { ...choice, ...mail },
  },
  never: {
    global_tracking: keyword(argumentsOf({ optional: [boolean] }), {
      remark: 'what the group tracks counts for all members anyway',
    }),
  },
  strayWords: 'put the names of the instances inside group { }',
});

const trackProcess = keywords({
  now: {
    process: some(anyWord),
    param_match: one(oneOf(['initial', 'partial'])),
    full_command: flag,
    weight: weight(254),
    ...each(one(integer(0, 65_535)), 'quorum quorum_max'),
    ...each(one(timer()), 'delay fork_delay terminate_delay'),
  },
});

const bfd = keywords({
  now: {
    ...each(one(address), 'neighbor_ip source_ip'),
    ...each(one(decimal), 'min_rx min_tx idle_tx'),
    ...each(one(integer(1, 255)), 'multiplier ttl hoplimit'),
    max_hops: one(integer(0, 255)),
    ...each(flag, 'passive multihop vrrp checker'),
    weight: weight(253),
  },
  synonyms: { neighbour_ip: 'neighbor_ip' },
});

const delays = items(argumentsOf({ required: [anyWord, timer()], optional: [timer()] }));
const polled = items(
  argumentsOf({ required: [anyWord], optional: [oneOf(['MII', 'ETHTOOL', 'IOCTL'], { ignoreCase: true })] }),
);

export const vrrpShapes: Shapes = {
  vrrp_instance: blocksOf(name, instance),
  vrrp_sync_group: blocksOf(name, syncGroup),
  vrrp_script: blocksOf(
    name,
    keywords({ now: { ...shapesOf(scriptRows), ...shapesOf(weightOfScriptRows) } }),
  ),
  track_file: blocksOf(name, keywords({ now: shapesOf(fileRows) })),
  garp_group: blockOf(keywords({ now: shapesOf(pacingRows) }), { repeats: true }),
};

export const vrrpShapesLater: Shapes = {
  vrrp_track_process: blocksOf(name, trackProcess),
  track_group: blocksOf(name, keywords({ now: { group: splitBlock(names(anyWord)) } })),
  bfd_instance: blocksOf(name, bfd),
  interface_up_down_delays: splitBlock(delays),
  linkbeat_interfaces: splitBlock(polled),
  static_routes: splitBlock(routesOrRules),
  static_rules: splitBlock(routesOrRules),
};
