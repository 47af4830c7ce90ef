// keepalived.json, version 1: an array with `data` and `stats` of each virtual router. Names and types of the fields are
// keepalived's.

import { jsonFields } from '../../config/row.js';
import { announceRows } from '../../config/rows/announce.js';
import { routerRows } from '../../config/rows/vrrp-instance.js';
import { effectivePriority } from '../../vrrp/state.js';
import type { FailoverReading, RouterReading } from '../failover/reading.js';
import { addressWords, commandWords, stateWord } from './dump-words.js';

const stateNumbers = { INIT: 0, BACKUP: 1, MASTER: 2, FAULT: 3 } as const;

export function jsonText({ routers }: Pick<FailoverReading, 'routers'>): string {
  return `${JSON.stringify(routers.map((router) => ({ data: dataOf(router), stats: statsOf(router) })))}\n`;
}

function dataOf({ config, state, since, hasAddresses }: RouterReading): object {
  const { router, notify } = config;
  const { announce, authentication } = router;
  const master = state.kind === 'backup' ? state.master : undefined;
  const masterInterval = state.kind === 'backup' ? state.masterInterval : router.advertInterval;
  const number = stateNumbers[stateWord(state.kind)];
  const named = (kind: 'interface' | 'script') =>
    router.tracks.filter((track) => track.kind === kind).map(({ name }) => name);
  const some = (name: string, list: readonly string[]) => (list.length === 0 ? {} : { [name]: list });
  const addresses = (list: typeof router.addresses) =>
    list.map((one) => addressWords(one, router, hasAddresses));
  return {
    iname: router.name,
    ...jsonFields(routerRows, router),
    ...jsonFields(announceRows, announce),
    master_priority: master?.priority ?? 0,
    last_transition: since / 1_000_000,
    effective_priority: effectivePriority(state),
    vipset: hasAddresses,
    master_adver_int: masterInterval / 1_000_000,
    state: number,
    wantstate: number,
    notify_deleted: notify.deleted !== undefined,
    ...(notify.any === undefined ? {} : { script: commandWords(notify.any.words) }),
    vips: addresses(router.addresses),
    ...some('evips', addresses(router.excludedAddresses)),
    ...some('track_ifp', named('interface')),
    ...some('track_script', named('script')),
    ...(router.version === 2 ? { auth_type: authentication.kind === 'none' ? 0 : 1 } : {}),
  };
}

function statsOf({ counters }: RouterReading): object {
  const { rejected } = counters;
  return {
    advert_rcvd: counters.received,
    advert_sent: counters.sent,
    become_master: counters.becameMaster,
    release_master: counters.releasedMaster,
    packet_len_err: rejected.length,
    advert_interval_err: rejected.interval,
    ip_ttl_err: rejected.ttl,
    invalid_type_rcvd: rejected.type,
    addr_list_err: rejected.addresses,
    invalid_authtype: 0,
    authtype_mismatch: rejected['authentication-type'],
    auth_failure: rejected.authentication,
    pri_zero_rcvd: counters.priorityZeroReceived,
    pri_zero_sent: counters.priorityZeroSent,
  };
}
