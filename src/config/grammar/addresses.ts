// Form of the lines in static_ipaddress, virtual_ipaddress, the route and rule blocks, and of tracked things.
// Routes and rules follow `ip route` and `ip rule`; until they have an effect any words are taken.

import { argumentsOf, type ItemBlock, items } from '../shapes.js';
import { anyWord, either, integer, oneOf, prefix } from '../values.js';

const scope = either(
  'global, site, link, host, nowhere or a number up to 255',
  oneOf(['global', 'site', 'link', 'host', 'nowhere']),
  integer(0, 255),
);

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
  dev: [anyWord],
  brd: [broadcast],
  broadcast: [broadcast],
  scope: [scope],
  label: [anyWord],
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

export const routesOrRules: ItemBlock = items(argumentsOf({ required: [anyWord], rest: anyWord }));

/** `NAME [weight N] [reverse]`. */
export const tracked = (limit: number): ItemBlock =>
  items(
    argumentsOf({
      required: [anyWord],
      options: { weight: [integer(-limit, limit)], reverse: [], noreverse: [], no_reverse: [] },
    }),
  );
