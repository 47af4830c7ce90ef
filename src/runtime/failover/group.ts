// A sync group, or a lone virtual router, as it runs: its members step together, and the group has a state of its own
// once they are all in one.

import type { GroupConfig } from '../../model/failover-config.js';
import type { Micros } from '../../model/units.js';
import type { Track } from '../../model/virtual-router.js';
import type { NotifyState, VrrpAction, VrrpEvent, VrrpState } from '../../vrrp/state.js';
import { stepGroup } from '../../vrrp/sync-group.js';
import { memberTracks } from '../../vrrp/tracking.js';
import type { Instance } from './instance.js';

/** keepalived's word for a group; undefined: its members are on their way. */
export type GroupState = Extract<NotifyState, 'master' | 'backup' | 'fault' | 'stop'>;

export class RunningGroup {
  /** What was last told of it. */
  reportedState: GroupState | undefined = 'stop';

  constructor(
    /** undefined: a lone virtual router. */
    readonly config: GroupConfig | undefined,
    readonly members: readonly Instance[],
  ) {}

  /** Puts the new states in force and gives the actions to execute, in order. */
  step(
    instance: Instance,
    event: VrrpEvent,
    now: Micros,
  ): readonly { readonly instance: Instance; readonly action: VrrpAction }[] {
    const states = new Map(this.members.map((member) => [member.name, member.state]));
    const policies = new Map(this.members.map((member) => [member.name, member.policy]));
    const step = stepGroup(states, instance.name, event, now, policies);
    const byName = new Map(this.members.map((member) => [member.name, member]));
    for (const [name, state] of step.states) {
      const member = byName.get(name);
      if (member !== undefined) member.state = state;
    }
    return step.actions.flatMap(({ router, action }) => {
      const member = byName.get(router);
      return member === undefined ? [] : [{ instance: member, action }];
    });
  }

  /** What a member depends on: in a group, on what the group tracks, too. */
  tracksOf(instance: Instance): readonly Track[] {
    if (this.config === undefined) return instance.router.tracks;
    return memberTracks(instance.router, this.config.group);
  }

  get state(): GroupState | undefined {
    return groupState(this.members.map(({ state }) => state));
  }
}

export function groupState(states: readonly VrrpState[]): GroupState | undefined {
  const kinds = states.map(({ kind }) => (kind === 'releasing' ? 'master' : kind));
  const [first] = kinds;
  if (kinds.includes('fault')) return 'fault';
  if (first === undefined || kinds.some((kind) => kind !== first)) return undefined;
  return first === 'initialize' ? 'stop' : first;
}

/** A group whose members have come from different states: one at fault is the fault of all, one master leads. */
export function unite(
  { members }: RunningGroup,
  handle: (instance: Instance, event: VrrpEvent) => void,
): void {
  for (const member of members) {
    const faulty = members.find((other) => other !== member && other.state.faults.length > 0);
    if (faulty?.name !== member.state.groupFault) {
      handle(member, { kind: 'group-fault', router: faulty?.name });
    }
  }
  const leader = members.find(({ state }) => state.kind === 'master');
  if (leader === undefined) return;
  for (const member of members) {
    if (member.state.kind === 'backup') handle(member, { kind: 'group', to: 'master', router: leader.name });
  }
}
