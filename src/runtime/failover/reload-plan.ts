// What a new configuration asks of each virtual router that runs: pure, so that its rules are a table of tests.

import { isSame } from '../../model/diff.js';
import type { FailoverConfig, RouterConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';

export type RouterPlan =
  | { readonly kind: 'keep'; readonly config: RouterConfig }
  /** Same router, other settings: they count from now on; whatever state it is in goes on. */
  | { readonly kind: 'change'; readonly config: RouterConfig; readonly before: RouterConfig }
  /** For the peers it is another virtual router: the old one gives up while the new one starts. */
  | { readonly kind: 'restart'; readonly config: RouterConfig; readonly before: RouterConfig }
  | { readonly kind: 'add'; readonly config: RouterConfig }
  | { readonly kind: 'remove'; readonly before: RouterConfig };

/**
 * In the order of the new configuration; removals at the end. Routers are known by their names; one whose name is new and
 * whose peers see no difference is the old one under another name.
 */
export function planReload(
  before: readonly RouterConfig[],
  after: Pick<FailoverConfig, 'routers'>,
): readonly RouterPlan[] {
  const old = new Map(before.map((config) => [config.router.name, config]));
  const names = new Set(after.routers.map(({ router }) => router.name));
  const nameless = before.filter(({ router }) => !names.has(router.name));
  const former = new Map(nameless.map((config) => [identityText(config.router), config]));
  const plans: RouterPlan[] = [];
  for (const config of after.routers) {
    const known = old.get(config.router.name) ?? former.get(identityText(config.router));
    if (known !== undefined) old.delete(known.router.name);
    plans.push(known === undefined ? { kind: 'add', config } : planOne(known, config));
  }
  return [...plans, ...[...old.values()].map((config): RouterPlan => ({ kind: 'remove', before: config }))];
}

function planOne(before: RouterConfig, config: RouterConfig): RouterPlan {
  if (!isSame(identityOf(before.router), identityOf(config.router)))
    return { kind: 'restart', config, before };
  const isUnchanged = isSame(before.router, config.router) && isSame(before.notify, config.notify);
  return isUnchanged ? { kind: 'keep', config } : { kind: 'change', config, before };
}

function identityText(router: VirtualRouter): string {
  return JSON.stringify(identityOf(router));
}

/** What peers know the virtual router by, and where. Its virtual MAC they learn anew from what is announced. */
function identityOf({ device, family, version, virtualRouterId, delivery }: VirtualRouter): object {
  const group = delivery.kind === 'multicast' ? delivery.group : undefined;
  const { kind } = delivery;
  return { device, family, version, virtualRouterId, kind, group };
}
