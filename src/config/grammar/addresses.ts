// Form of the lines in static_ipaddress, virtual_ipaddress, the route and rule blocks, and of tracked things.
// Routes and rules follow `ip route` and `ip rule`; until they have an effect any words are taken.

import { argumentsOf, type ItemBlock, items, keyword, type Shapes, splitBlock } from '../shapes.js';
import { anyWord, deviceName, either, integer, oneOf, prefix, type ValueKind } from '../values.js';

const scope = either(
  'global, site, link, host, nowhere or a number up to 255',
  oneOf(['global', 'site', 'link', 'host', 'nowhere']),
  integer(0, 255),
);

/** The kernel keeps it where an old program looks for the name of a device. */
const label: ValueKind = {
  what: 'a label of 15 characters at most',
  problemOf: (text) =>
    new TextEncoder().encode(text).length <= 15
      ? undefined
      : { code: 'invalid-value', text: `${text} is not ${label.what}` },
};

const lifetime = either('forever or a number of seconds', oneOf(['forever']), integer(0, 4_294_967_295));
const broadcast = either('an address, + or -', prefix, oneOf(['+', '-']));

/** Options of an address line that uvs knows but does not act on. */
export const addressOptionsLater = [
  'peer',
  'home',
  '-nodad',
  'mngtmpaddr',
  'noprefixroute',
  'autojoin',
  'track_group',
  'preferred_lft',
] as const;

const addressOptions = {
  dev: [deviceName],
  brd: [broadcast],
  broadcast: [broadcast],
  scope: [scope],
  label: [label],
  peer: [prefix],
  home: [],
  '-nodad': [],
  mngtmpaddr: [],
  noprefixroute: [],
  autojoin: [],
  track_group: [anyWord],
  preferred_lft: [lifetime],
};

export const staticAddresses: ItemBlock = items(argumentsOf({ required: [prefix], options: addressOptions }));

export const virtualAddresses: ItemBlock = items(
  argumentsOf({ required: [prefix], options: { ...addressOptions, no_track: [], use_vmac: [] } }),
);

const period = integer(0, 86_400, 'a whole number of seconds');

/** `[all] SECONDS`: how often devices beside the adverts' own are announced on. */
export const extraAnnouncements = keyword((words, at, report) => {
  const required = words[0]?.text === 'all' ? [anyWord, period] : [period];
  argumentsOf({ required })(words, at, report);
});

export const routesOrRules: ItemBlock = items(argumentsOf({ required: [anyWord], rest: anyWord }));

/** `NAME [weight N] [reverse]`. */
export const tracked = (name: ValueKind, limit: number): ItemBlock =>
  items(
    argumentsOf({
      required: [name],
      options: { weight: [integer(-limit, limit)], reverse: [], noreverse: [], no_reverse: [] },
    }),
  );

export const trackShapes: Shapes = {
  track_interface: splitBlock(tracked(deviceName, 253)),
  track_script: splitBlock(tracked(anyWord, 253)),
  track_file: splitBlock(tracked(anyWord, 2_147_483_647)),
};

/** `weight N [reverse]`: what a thing says for those who track it. */
export const weight = (limit: number) =>
  keyword(argumentsOf({ required: [integer(-limit, limit)], options: { reverse: [], noreverse: [] } }));
