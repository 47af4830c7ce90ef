// Form of global_defs and of the keywords outside blocks.

import { scheduleRows } from '../checkers/checker.js';
import { script } from '../notations.js';
import { globalShapesOf, shapesOf } from '../row.js';
import { globalAnnounceShapes } from '../rows/announce.js';
import { pauseRows } from '../rows/announce-pacing.js';
import { deliveryRows, eventRows, globalRows, nameRows } from '../rows/global-defs.js';
import { notifyRows } from '../rows/notify.js';
import { routerRows } from '../rows/vrrp-instance.js';
import {
  argumentsOf,
  blockOf,
  choice,
  each,
  flag,
  keyword,
  keywords,
  mail,
  maybe,
  names,
  one,
  type Shapes,
  some,
} from '../shapes.js';
import { address, anyWord, either, integer, oneOf, port, timer } from '../values.js';

const count = integer(0, 4_294_967_295);
const anyWords = keyword(argumentsOf({ rest: anyWord }));
const text = one(anyWord);

const syncDaemon = keyword(
  argumentsOf({
    required: [anyWord],
    options: {
      inst: [anyWord],
      id: [integer(0, 255)],
      maxlen: [integer(1, 65_507)],
      port: [port],
      ttl: [integer(1, 255)],
      group: [address],
    },
    // The old form names the instance without `inst`.
    optional: [anyWord],
  }),
);

const ownTable = 'the table is the director’s own: empty at the start, gone at the end';

const globalDefs = keywords({
  now: {
    ...shapesOf(globalRows),
    ...shapesOf(nameRows),
    ...globalShapesOf(scheduleRows),
    include_check: anyWords,
    ...globalShapesOf(routerRows),
    ...globalAnnounceShapes,
    ...globalShapesOf(notifyRows),
    ...shapesOf(deliveryRows),
    ...shapesOf(pauseRows),
    ...shapesOf(eventRows),
  },
  later: {
    // Identity and processes.
    ...each(flag, 'process_names set_supplementary_groups'),
    use_symlink_paths: choice,
    ...each(text, 'process_name vrrp_process_name checker_process_name lvs_process_name bfd_process_name'),
    ...each(text, 'instance umask'),
    random_seed: one(count),
    // Mail.
    notification_email: blockOf(names(anyWord), { repeats: true, ...mail }),
    ...each({ ...text, ...mail }, 'notification_email_from smtp_helo_name'),
    smtp_server: keyword(argumentsOf({ required: [anyWord], optional: [port] }), mail),
    smtp_connect_timeout: { ...one(timer(1)), ...mail },
    ...each({ ...choice, ...mail }, 'smtp_alert smtp_alert_vrrp smtp_alert_checker no_checker_emails'),
    no_email_faults: { ...flag, ...mail },
    // Scripts at start and stop.
    ...each(script.shape, 'startup_script shutdown_script'),
    ...each(one(integer(1, 1_000)), 'startup_script_timeout shutdown_script_timeout'),
    rs_init_notifies: choice,
    // Interfaces.
    dynamic_interfaces: maybe(oneOf(['allow_if_changes'])),
    disable_local_igmp: flag,
    lvs_sync_daemon: syncDaemon,
    // VRRP.
    log_unknown_vrids: flag,
    vrrp_delay_after_boot: one(timer()),
    vmac_addr_prefix: text,
    // Firewall.
    ...each(anyWords, 'vrrp_iptables vrrp_ipsets'),
    ...each(maybe(anyWord), 'nftables nftables_ipvs'),
    ...each(one(integer(-2_147_483_648, 2_147_483_647)), 'nftables_priority nftables_ipvs_priority'),
    ...each(flag, 'nftables_counters nftables_ifindex'),
    nftables_ipvs_start_fwmark: one(count),
    // Priority of the processes.
    ...each(one(integer(-20, 19)), 'vrrp_priority checker_priority bfd_priority'),
    ...each(flag, 'vrrp_no_swap checker_no_swap bfd_no_swap'),
    ...each(one(integer(1, 99)), 'vrrp_rt_priority checker_rt_priority bfd_rt_priority'),
    ...each(some(integer(0, 65_535)), 'vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity'),
    ...each(one(count), 'vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime'),
    max_auto_priority: maybe(integer(-1, 99)),
    min_auto_priority_delay: one(count),
    // SNMP and DBus.
    ...each(text, 'snmp_socket dbus_service_name'),
    ...each(
      flag,
      'enable_traps enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc ' +
        'enable_snmp_rfcv2 enable_snmp_rfcv3 enable_dbus dbus_no_interface_name',
    ),
    ...each(one(timer()), 'snmp_vs_stats_update_interval snmp_rs_stats_update_interval'),
    // Netlink and sockets.
    ...each(
      one(count),
      'vrrp_netlink_cmd_rcv_bufs vrrp_netlink_monitor_rcv_bufs lvs_netlink_cmd_rcv_bufs ' +
        'lvs_netlink_monitor_rcv_bufs process_monitor_rcv_bufs vrrp_rx_bufs_multiplier',
    ),
    ...each(
      choice,
      'vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs_force ' +
        'lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs_force',
    ),
    vrrp_rx_bufs_policy: one(either('MTU, ADVERT or a number', oneOf(['MTU', 'ADVERT']), count)),
    // Reload and dumps.
    ...each(maybe(anyWord), 'reload_check_config reload_file'),
    ...each(text, 'reload_time_file config_save_dir tmp_config_directory iproute_usr_dir iproute_etc_dir'),
    reload_repeat: flag,
    data_use_instance: choice,
    json_version: one(integer(1, 2)),
  },
  never: {
    lvs_flush: keyword(argumentsOf({}), { remark: ownTable }),
    lvs_flush_on_stop: keyword(argumentsOf({ options: { VS: [] } }), { remark: ownTable }),
  },
  synonyms: { vrrp_vmac_garp_intvl: 'vrrp_garp_extra_if' },
  oldNames: {
    lvs_id: 'router_id',
    lvs_flush_onstop: 'lvs_flush_on_stop',
    vrrp_rlimit_rtime: 'vrrp_rlimit_rttime',
    checker_rlimit_rtime: 'checker_rlimit_rttime',
    bfd_rlimit_rtime: 'bfd_rlimit_rttime',
  },
});

export const globalShapes: Shapes = { global_defs: blockOf(globalDefs, { repeats: true }) };

export const globalShapesLater: Shapes = {
  ...each(flag, 'linkbeat_use_polling namespace_with_ipsets use_pid_dir'),
  ...each(text, 'instance net_namespace'),
  net_namespace_ipvs: maybe(anyWord),
  child_wait_time: one(timer()),
};
