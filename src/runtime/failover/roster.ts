// Which virtual routers there are, and who steps together: the running ones by the configuration, and those that give
// up because a reload has removed or replaced them, each alone.

import type { RouterChange } from '../../model/diff-failover.js';
import type { FailoverConfig, GroupConfig, RouterConfig } from '../../model/failover-config.js';
import { nearest } from '../../model/nearest.js';
import { type Micros, micros } from '../../model/units.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import { masterDownInterval } from '../../vrrp/timers.js';
import { newCounters } from './counters.js';
import { RunningGroup } from './group.js';
import { Instance, type InstanceParts, type RouterRecord } from './instance.js';

/** What changes have made: instances to start, and instances that give up. */
export type RosterChanges = {
  readonly fresh: readonly Instance[];
  readonly retired: readonly Instance[];
  /** The same virtual router with other settings. */
  readonly changed: readonly Instance[];
  /** Names before and after. */
  readonly renamed: readonly (readonly [string, string])[];
};

export class Roster {
  private readonly instances = new Set<Instance>();
  private list: readonly RunningGroup[] = [];
  private groupsBy = new Map<Instance, RunningGroup>();
  private readonly records = new Map<string, RouterRecord>();
  private order: readonly string[] = [];
  private lists: { readonly current: readonly Instance[]; readonly all: readonly Instance[] } | undefined;

  /** Those that the configuration has, in its order. */
  get current(): readonly Instance[] {
    return this.listed().current;
  }

  /** Those that give up stand behind. */
  get all(): readonly Instance[] {
    return this.listed().all;
  }

  /** Made once for each change: each step of each virtual router reads them. */
  private listed() {
    if (this.lists !== undefined) return this.lists;
    const instances = [...this.instances];
    const byName = new Map(
      instances.filter(({ purpose }) => purpose === 'running').map((one) => [one.name, one]),
    );
    const current = this.order.flatMap((name) => byName.get(name) ?? []);
    const all = [...current, ...instances.filter(({ purpose }) => purpose !== 'running')];
    this.lists = { current, all };
    return this.lists;
  }

  /** Sync groups and lone virtual routers. */
  get groups(): readonly RunningGroup[] {
    return this.list;
  }

  groupOf(instance: Instance): RunningGroup {
    const known = this.groupsBy.get(instance);
    if (known !== undefined) return known;
    const lone = new RunningGroup(undefined, [instance]);
    this.groupsBy.set(instance, lone);
    return lone;
  }

  /** The members of the sync group `name`, or the virtual router with those that move with it; undefined: neither. */
  find(name: string): readonly Instance[] | undefined {
    const group = this.list.find(({ config }) => config?.group.name === name);
    if (group !== undefined) return group.members;
    const instance = this.current.find((one) => one.name === name);
    return instance === undefined ? undefined : this.groupOf(instance).members;
  }

  /** Carries out `changes`, after which there are `routers`; `isLate`: the director runs already. `regroup` comes next. */
  follow(
    changes: readonly RouterChange[],
    { routers }: Pick<FailoverConfig, 'routers'>,
    parts: InstanceParts,
    isLate: boolean,
  ): RosterChanges {
    const fresh: Instance[] = [];
    const retired: Instance[] = [];
    const changed: Instance[] = [];
    const renamed: [string, string][] = [];
    const byName = new Map(this.current.map((instance) => [instance.name, instance]));
    const start = (config: RouterConfig) => {
      const { name } = config.router;
      const instance = new Instance(this.freeKey(name), config, this.recordOf(name), parts);
      instance.isLate = isLate;
      this.instances.add(instance);
      fresh.push(instance);
    };
    const retire = (name: string, purpose: 'restarting' | 'removed', releaseBudget?: Micros) => {
      const known = byName.get(name);
      known?.retire(purpose, releaseBudget);
      if (known !== undefined) retired.push(known);
    };
    const alter = (name: string, config: RouterConfig) => {
      const known = byName.get(name);
      known?.change(config);
      if (known !== undefined) changed.push(known);
    };
    for (const change of changes) {
      switch (change.kind) {
        case 'failover-added':
          start(change.item);
          break;
        case 'failover-removed':
          retire(change.key, 'removed');
          break;
        case 'failover-replaced': {
          const [before, after] = [change.before.router, change.after.router];
          retire(before.name, 'restarting', handoverBudget(before, after));
          start(change.after);
          break;
        }
        case 'failover-renamed': {
          const [before, after] = [change.before.router.name, change.after.router.name];
          this.records.set(after, this.recordOf(before));
          this.records.delete(before);
          renamed.push([before, after]);
          alter(before, change.after);
          break;
        }
        case 'failover-changed':
          alter(change.after.router.name, change.after);
          break;
        default:
          change satisfies never;
      }
    }
    this.order = routers.map(({ router }) => router.name);
    this.lists = undefined;
    return { fresh, retired, changed, renamed };
  }

  /** Puts the groups of a configuration in force. Gives those whose members are not what they were. */
  regroup(configs: readonly GroupConfig[]): readonly RunningGroup[] {
    const before = this.groupsBy;
    const byName = new Map(this.current.map((instance) => [instance.name, instance]));
    const reported = new Map(this.list.map((group) => [group.config?.group.name, group.reportedState]));
    const groups: RunningGroup[] = [];
    this.groupsBy = new Map();
    const add = (group: RunningGroup) => {
      groups.push(group);
      for (const member of group.members) this.groupsBy.set(member, group);
    };
    for (const config of configs) {
      const { name, members } = config.group;
      const instances = members.flatMap((member) => byName.get(member) ?? []);
      const group = new RunningGroup(
        config,
        instances.filter((instance) => !this.groupsBy.has(instance)),
      );
      if (reported.has(name)) group.reportedState = reported.get(name);
      add(group);
    }
    for (const instance of this.all) {
      if (!this.groupsBy.has(instance)) add(new RunningGroup(undefined, [instance]));
    }
    this.list = groups;
    const isSameGroup = ({ members }: RunningGroup) =>
      members.every((member) => {
        const old = before.get(member)?.members;
        return old?.length === members.length && members.every((one) => old.includes(one));
      });
    return groups.filter((group) => !isSameGroup(group));
  }

  /** False when it was removed before. */
  remove(instance: Instance): boolean {
    if (!this.instances.delete(instance)) return false;
    this.lists = undefined;
    this.groupsBy.delete(instance);
    this.list = this.list.filter(({ members }) => !members.includes(instance) || members.length > 1);
    if (![...this.instances].some(({ name }) => name === instance.name)) this.records.delete(instance.name);
    return true;
  }

  private recordOf(name: string): RouterRecord {
    const known = this.records.get(name);
    if (known !== undefined) return known;
    const fresh = { counters: newCounters(), takeovers: [] };
    this.records.set(name, fresh);
    return fresh;
  }

  private freeKey(name: string): string {
    const taken = new Set([...this.instances].map(({ key }) => key));
    for (let count = 1; ; count++) {
      const key = count === 1 ? name : `${name} (${count})`;
      if (!taken.has(key)) return key;
    }
  }

  /** For whoever asked for a name that there is not. */
  knownText(name: string | undefined): string {
    const names = [
      ...this.current.map((one) => one.name),
      ...this.groups.flatMap(({ config }) => config?.group.name ?? []),
    ];
    const meant = name === undefined ? undefined : nearest(name, names);
    if (meant !== undefined) return `: did you mean ${meant}?`;
    return names.length === 0 ? '' : `: there are ${names.join(', ')}`;
  }
}

/** Long enough that the new identity knows who is master of it before the old one lets go. */
function handoverBudget(before: VirtualRouter, { priority, advertInterval, ...rest }: VirtualRouter) {
  const router = { priority, advertInterval, ...rest };
  const wait = masterDownInterval(router, priority, advertInterval);
  return micros(Math.max(before.releaseBudget, wait + advertInterval + 500_000));
}
