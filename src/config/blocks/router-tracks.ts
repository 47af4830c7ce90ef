// What a vrrp_instance depends on beside what it names itself: its own device, and those of its addresses and routes.

import type { Track, VirtualRouter } from '../../model/virtual-router.js';
import { flag, type Lines } from '../print-words.js';
import type { Report } from '../report.js';
import type { Statement } from '../tree.js';
import type { RouterAddresses } from './router-addresses.js';
import { flagOf } from './settings.js';
import { readTracks, type Trackables, trackLines } from './tracks.js';

/**
 * The own device first, then those of addresses and routes, unless the file says otherwise; then what else it names. What
 * it names there without a weight is the same as not named.
 */
export function readRouterTracks(
  statement: Statement,
  device: string,
  { devices }: RouterAddresses,
  known: Trackables,
  report: Report,
): Track[] {
  const isOwnTracked = statement.block === undefined || !flagOf(statement.block, 'dont_track_primary');
  const others = devices.filter(({ name }) => name !== device);
  const surroundings = [{ name: device, isTracked: isOwnTracked }, ...others];
  const written = readTracks(statement, known, report).filter(({ place, track }) => {
    const isOwn = isOwnTracked && track.kind === 'interface' && track.name === device;
    if (isOwn && !isPlain(track)) {
      const message = `${device} is the instance's own interface, whose failure is a fault anyway`;
      report.add('no-effect', place, message, 'remove it, or write dont_track_primary');
    }
    return !isOwn;
  });
  const named = new Map(
    written.flatMap(({ track }) => (track.kind === 'interface' ? [[track.name, track] as const] : [])),
  );
  const implied = surroundings.flatMap(({ name, isTracked }): Track[] => {
    const track = named.get(name);
    const isImplied = track === undefined ? isTracked : isPlain(track);
    return isImplied ? [{ kind: 'interface', name, weight: 0, isReversed: false }] : [];
  });
  const isElsewhere = ({ kind, name }: Track) =>
    kind !== 'interface' || !implied.some((track) => track.name === name);
  return [...implied, ...written.map(({ track }) => track).filter(isElsewhere)];
}

function isPlain({ weight, isReversed }: Track): boolean {
  return weight === 0 && !isReversed;
}

/** Without what follows from the instance's own device and from addresses and routes, which say `no_track` themselves. */
export function routerTrackLines(router: VirtualRouter): Lines {
  const { device, tracks } = router;
  const lines = [...router.addresses, ...router.excludedAddresses, ...router.routes];
  const devices = [device, ...lines.flatMap((line) => line.device ?? [])];
  const isImplied = (track: Track, by: string) =>
    track.kind === 'interface' && track.name === by && isPlain(track);
  return [
    ...flag('dont_track_primary', !tracks.some((track) => isImplied(track, device))),
    ...trackLines(tracks.filter((track) => !devices.some((name) => isImplied(track, name)))),
  ];
}
