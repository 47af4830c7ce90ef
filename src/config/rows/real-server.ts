// Every setting of real_server beside its checkers, one row a field. What a server does not say its service may say.

import type { RealServer } from '../../model/director-config.js';
import type { ForwardingMethod } from '../../model/forwarding-table.js';
import { methodShape } from '../grammar/method.js';
import { whole, yesOrNo } from '../notations.js';
import type { Report } from '../report.js';
import { type Inheriting, inherited, own, type Table } from '../row.js';
import { settingOf } from '../tree.js';
import { integer } from '../values.js';

export type ServerSettings = Omit<RealServer, 'address' | 'port' | 'checkers' | 'origin'>;

type Above = Inheriting<ServerSettings>;
type ServerReading = Above & { readonly method: ForwardingMethod; readonly report: Report };

const connections = whole(integer(0, 4_294_967_295));
const lower = own('lthreshold', connections, () => 0);

/** Those that a service says for its servers. */
export const handedDown = {
  weight: inherited<ServerSettings, 'weight'>('weight', 'weight', whole(integer(0, 65_535)), () => 1, {
    isPrinted: () => true,
  }),
  inhibitOnFailure: inherited<ServerSettings, 'inhibitOnFailure'>(
    'inhibitOnFailure',
    'inhibit_on_failure',
    yesOrNo,
    () => false,
  ),
};

export const serverRows: Table<ServerSettings, Above, ServerReading> = {
  weight: handedDown.weight,
  // Known before all others: the port depends on it.
  method: {
    shapes: { lvs_method: methodShape },
    read: (_, { method }) => method,
    print: (value, _item, above) =>
      value === above.inherited.method ? [] : [`lvs_method ${value.toUpperCase()}`],
  },
  upperThreshold: own('uthreshold', connections, () => 0),
  lowerThreshold: {
    ...lower,
    read: (block, reading, server) => {
      const value = lower.read(block, reading, server);
      const place = settingOf(block, 'lthreshold')?.keyword;
      if (place !== undefined && value > server.upperThreshold) {
        const message = `lthreshold ${value} is not below uthreshold ${server.upperThreshold}`;
        reading.report.add('no-effect', place, message);
      }
      return value;
    },
  },
  alpha: inherited('alpha', 'alpha', yesOrNo, () => false),
  inhibitOnFailure: handedDown.inhibitOnFailure,
};
