// vrrp_instance { }: one virtual router, complete. What would end in two masters or none is an error.

import type { RouterConfig } from '../../model/failover-config.js';
import type { VirtualRouter } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import { readRows } from '../row.js';
import { notifyRows } from '../rows/notify.js';
import { routerRows } from '../rows/vrrp-instance.js';
import { type Block, type Statement, settingOf } from '../tree.js';
import type { VrrpDefaults } from './global-defs.js';
import { readRouterAddresses } from './router-addresses.js';
import { choiceOf, flagOf, integerOf, originOf, textOf } from './settings.js';
import { readStrictly } from './strict-mode.js';
import type { Trackables } from './tracks.js';

/** undefined when its VRID is missing, which is reported. */
export function readVrrpInstance(
  statement: Statement,
  defaults: VrrpDefaults,
  known: Trackables,
  report: Report,
): RouterConfig | undefined {
  const { block, keyword } = statement;
  const name = statement.arguments[0]?.text;
  if (block === undefined || name === undefined) return undefined;
  const device = textOf(block, 'interface') ?? defaults.device;
  const addresses = readRouterAddresses(block, device, report);
  if (integerOf(block, 'virtual_router_id') === undefined) {
    // With errors in the text it is there most likely, misspelt.
    if (!report.hasErrors()) {
      report.add(
        'missing-setting',
        keyword,
        `${name} has no virtual_router_id`,
        'write virtual_router_id 1 to 255',
      );
    }
    return undefined;
  }
  const { routers: inherited, delivery } = defaults;
  const reading = { inherited, statement, name, device, addresses, delivery, known, report };
  const written = readRows(routerRows, block, reading);
  reportNoAddresses(block, keyword, written, report);
  const strictPlace = settingOf(block, 'strict_mode')?.keyword ?? keyword;
  return {
    router: readStrictly(written, choiceOf(block, 'accept', 'no_accept'), strictPlace, report),
    notify: readRows(notifyRows, block, { inherited: defaults.notify }),
    origin: originOf(keyword),
  };
}

/** An election about nothing; `no_virtual_ipaddress` says that it is meant. */
function reportNoAddresses(block: Block, keyword: Word, router: VirtualRouter, report: Report): void {
  const hasSome = router.addresses.length > 0 || router.excludedAddresses.length > 0;
  if (hasSome || router.isStrict || flagOf(block, 'no_virtual_ipaddress') || report.hasErrors()) return;
  const message = `${router.name} has no virtual address: a master is elected, and nothing moves with it`;
  report.add('no-addresses', keyword, message, 'add virtual_ipaddress { }, or write no_virtual_ipaddress');
}
