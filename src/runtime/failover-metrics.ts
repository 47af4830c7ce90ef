// Virtual routers as Prometheus families. Pure formatting; metrics.ts writes them out.

import type { FailoverView, VirtualRouterView } from './failover/views.js';
import { bit, counter, type Family, gauge, label, type Sample } from './metric-family.js';

const states = ['initialize', 'backup', 'master', 'releasing', 'fault'] as const;
const groupStates = ['stop', 'backup', 'master', 'fault'] as const;

/** Of virtual routers none, where there are none. */
export function failoverFamilies({
  virtualRouters,
  syncGroups,
  strays,
  lostLineCount,
  unsettledCount,
}: FailoverView): Family[] {
  const lost = counter('uvs_notify_lines_lost_total', 'Lines for notify FIFOs that were full or not there.', [
    ['', lostLineCount],
  ]);
  const unsettled = counter('uvs_unsettled_total', 'Steps of configurations in force that have failed.', [
    ['', unsettledCount],
  ]);
  if (virtualRouters.length === 0) return [lost, unsettled];
  const each = (read: (view: VirtualRouterView) => number): Sample[] =>
    virtualRouters.map((view): Sample => [label('router', view.name), read(view)]);
  const by = (name: string, read: (view: VirtualRouterView) => Readonly<Record<string, number>>): Sample[] =>
    virtualRouters.flatMap((view) =>
      Object.entries(read(view)).map(
        ([key, value]): Sample => [`${label('router', view.name)},${label(name, key)}`, value],
      ),
    );
  return [
    lost,
    unsettled,
    gauge(
      'uvs_virtual_router_state',
      '1 for the state that the virtual router is in.',
      by('state', ({ state }) => Object.fromEntries(states.map((one) => [one, bit(one === state)]))),
    ),
    gauge(
      'uvs_virtual_router_since_timestamp_seconds',
      'When that state began.',
      each(({ since }) => since / 1e6),
    ),
    gauge(
      'uvs_virtual_router_priority',
      'Priority after tracking.',
      each((view) => view.priority),
    ),
    gauge(
      'uvs_virtual_router_has_addresses',
      '1 while its addresses are on this machine.',
      each((view) => bit(view.hasAddresses)),
    ),
    ...counterFamilies(each),
    counter(
      'uvs_virtual_router_adverts_rejected_total',
      'Adverts that were refused, by the rung of the receive ladder.',
      by('reason', ({ counters }) => counters.rejected),
    ),
    counter(
      'uvs_virtual_router_reports_total',
      'What the virtual router had to say, by code; far more than is in the log.',
      by('code', ({ counters }) => counters.reports),
    ),
    ...takeoverFamilies(virtualRouters),
    gauge(
      'uvs_sync_group_state',
      '1 for the state that all members of the sync group are in.',
      syncGroups.flatMap(({ name, state }) =>
        groupStates.map(
          (one): Sample => [`${label('group', name)},${label('state', one)}`, bit(one === state)],
        ),
      ),
    ),
    counter('uvs_vrrp_strays_total', 'Adverts that are no virtual router’s of ours.', [
      [label('reason', 'unknown-router'), strays.unknownRouter],
      [label('reason', 'short'), strays.short],
    ]),
  ];
}

function counterFamilies(each: (read: (view: VirtualRouterView) => number) => Sample[]): Family[] {
  const rows = [
    ['adverts_received', 'received', 'Adverts that were accepted.'],
    ['adverts_sent', 'sent', 'Adverts that were sent.'],
    ['advert_send_failures', 'sendFailures', 'Adverts that could not be sent.'],
    ['priority_zero_received', 'priorityZeroReceived', 'Adverts by which a master gave up.'],
    ['priority_zero_sent', 'priorityZeroSent', 'Adverts by which we gave up.'],
    ['became_master', 'becameMaster', 'Transitions to master.'],
    ['released_master', 'releasedMaster', 'Transitions from master.'],
    ['announcements', 'announced', 'Gratuitous ARP and unsolicited neighbour advertisements that were sent.'],
    ['announcement_failures', 'announceFailures', 'Rounds of announcements that could not be sent.'],
    ['takeovers', 'takeovers', 'Takeovers from a master that was lost.'],
    ['late_takeovers', 'lateTakeovers', 'Takeovers that took longer than their budget.'],
  ] as const;
  return rows.map(([name, field, help]) =>
    counter(
      `uvs_virtual_router_${name}_total`,
      help,
      each(({ counters }) => counters[field]),
    ),
  );
}

function takeoverFamilies(virtualRouters: readonly VirtualRouterView[]): Family[] {
  const last = virtualRouters.flatMap(({ name, takeovers }) => {
    const takeover = takeovers.at(-1);
    return takeover === undefined ? [] : [{ labels: label('router', name), takeover }];
  });
  return [
    gauge(
      'uvs_virtual_router_last_takeover_seconds',
      'What the last takeover took, from the last sign of the master before.',
      last.map(({ labels, takeover }): Sample => [labels, takeover.took / 1e6]),
    ),
    gauge(
      'uvs_virtual_router_last_takeover_budget_seconds',
      'What it may have taken.',
      last.map(({ labels, takeover }): Sample => [labels, takeover.budget / 1e6]),
    ),
  ];
}
