// Form of virtual_server, real_server, virtual_server_group and SSL. Names of methods that uvs does not have yet are
// known here, so that they are no spelling mistakes; blocks/virtual-server.ts says what they miss.

import { inheritedShapes } from '../checkers/checker.js';
import { checkerShapes } from '../checkers/index.js';
import { script } from '../notations.js';
import { shapesOf } from '../row.js';
import { handedDown, serverRows } from '../rows/real-server.js';
import { serviceRows } from '../rows/virtual-server.js';
import {
  argumentsOf,
  blockOf,
  blocksOf,
  type CheckArguments,
  choice,
  each,
  flag,
  items,
  keyword,
  keywords,
  mail,
  one,
  type Shapes,
} from '../shapes.js';
import { address, addressRange, anyWord, integer, mask, oneOf, port, portOrNone } from '../values.js';
import { checkersLater } from './checkers.js';
import { methodShape } from './method.js';

const maxUnsigned = 4_294_967_295;
const mark = integer(1, maxUnsigned, 'a firewall mark');
const family = oneOf(['inet', 'inet6']);

const addressAndPort = argumentsOf({ required: [address], optional: [portOrNone] });
const byMark = argumentsOf({ required: [anyWord, mark] });
const byGroup = argumentsOf({ required: [anyWord, anyWord] });

const checkService: CheckArguments = (words, at, report) => {
  const first = words[0]?.text;
  const check = first === 'fwmark' ? byMark : first === 'group' ? byGroup : addressAndPort;
  check(words, at, report);
};

const rangeAndPort = argumentsOf({ required: [addressRange], optional: [port] });
const markAndFamily = argumentsOf({ required: [anyWord, mark], optional: [family] });

const checkGroupItem: CheckArguments = (words, at, report) =>
  (words[0]?.text === 'fwmark' ? markAndFamily : rangeAndPort)(words, at, report);

const methodNames = { lb_kind: 'lvs_method' };
const texts = each(one(anyWord), 'virtualhost snmp_name');

const realServer = keywords({
  now: {
    ...checkerShapes,
    ...inheritedShapes,
    ...shapesOf(serverRows),
  },
  later: {
    ...checkersLater,
    ...each(script.shape, 'notify_up notify_down'),
    smtp_alert: { ...choice, ...mail },
    ...texts,
  },
  synonyms: methodNames,
});

const virtualServer = keywords({
  now: {
    lvs_method: methodShape,
    protocol: one(oneOf(['TCP', 'UDP', 'SCTP'], { ignoreCase: true })),
    ...shapesOf(serviceRows),
    ...shapesOf(handedDown),
    ...each(flag, 'omega inhibit_on_failure'),
    ...inheritedShapes,
    real_server: blocksOf(addressAndPort, realServer),
  },
  later: {
    ...each({ ...flag, movesTraffic: true }, 'hashed sorry_server_inhibit'),
    ha_suspend: flag,
    smtp_alert: { ...choice, ...mail },
    persistence_engine: { ...one(anyWord), movesTraffic: true },
    ip_family: one(family),
    ...texts,
    ...each(script.shape, 'quorum_up quorum_down'),
  },
  never: {
    nat_mask: keyword(argumentsOf({ required: [mask] }), { remark: 'NAT never had a use for it' }),
  },
  synonyms: { ...methodNames, lb_algo: 'lvs_sched' },
});

const ssl = keywords({ now: each(one(anyWord), 'password ca certificate key') });

export const virtualServerShapes: Shapes = { virtual_server: blocksOf(checkService, virtualServer) };

export const virtualServerShapesLater: Shapes = {
  virtual_server_group: blocksOf(argumentsOf({ required: [anyWord] }), items(checkGroupItem)),
  SSL: blockOf(ssl, { repeats: true }),
};
