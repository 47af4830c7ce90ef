// track_interface, track_script and track_file of instances and groups: `NAME [weight N] [reverse|noreverse]`. What a
// line does not say comes from the script or file that it names.

import { nearest } from '../../model/nearest.js';
import type { Track } from '../../model/virtual-router.js';
import type { Severity } from '../codes.js';
import type { Word } from '../lexer.js';
import { type Lines, word } from '../print-words.js';
import type { Report } from '../report.js';
import type { Statement } from '../tree.js';
import { readInteger } from '../values.js';

/** What a `vrrp_script` or `track_file` says about those who track it. */
export type Trackable = { readonly weight: number; readonly isReversed: boolean };

/** By name, with where the block begins; no `trackable`: there, but left out. */
export type Trackables = {
  readonly scripts: TrackablesOfKind;
  readonly files: TrackablesOfKind;
};

type TrackablesOfKind = ReadonlyMap<
  string,
  { readonly statement: Statement; readonly trackable: Trackable | undefined }
>;

const usual: Trackable = { weight: 0, isReversed: false };

/** A track with the place where it is written. */
export type WrittenTrack = { readonly place: Word; readonly track: Track };

/**
 * Those of an instance or a group, in the order interfaces, scripts, files. Reports names that nothing defines, and
 * things tracked twice.
 */
export function readTracks(owner: Statement, known: Trackables, report: Report): WrittenTrack[] {
  return [
    ...readKind(owner, 'interface', undefined, report),
    ...readKind(owner, 'script', known.scripts, report),
    ...readKind(owner, 'file', known.files, report),
  ];
}

function readKind(
  owner: Statement,
  kind: Track['kind'],
  known: TrackablesOfKind | undefined,
  report: Report,
): WrittenTrack[] {
  const found = new Map<string, WrittenTrack>();
  for (const { shape, block: list } of owner.block?.repeated ?? []) {
    if (shape.name !== `track_${kind}`) continue;
    for (const words of list?.items ?? []) {
      const [place] = words;
      if (place === undefined) continue;
      const name = place.text;
      const defined = known?.get(name);
      const thing = known === undefined ? usual : defined?.trackable;
      const before = found.get(name);
      if (known !== undefined && defined === undefined) {
        const keyword = kind === 'script' ? 'vrrp_script' : 'track_file';
        reportUnknownName(place, keyword, known.keys(), report, 'warning');
      } else if (defined !== undefined && isBefore(owner, defined.statement)) {
        reportDefinedLater(place, defined.statement, report);
      } else if (thing === undefined) {
        // It was left out, which is said where it is defined.
      } else if (before !== undefined) {
        const message = `${name} is tracked in line ${before.place.line} already: that one counts`;
        report.add('no-effect', place, message, 'remove one of them');
      } else {
        found.set(name, { place, track: { kind, name, ...readOptions(words, thing) } });
      }
    }
  }
  return [...found.values()];
}

function readOptions(words: readonly Word[], thing: Trackable): Trackable {
  const texts = words.slice(1).map(({ text }) => text);
  const at = texts.indexOf('weight');
  const weight = at < 0 ? undefined : readInteger(texts[at + 1] ?? '');
  const isStraight = texts.includes('noreverse') || texts.includes('no_reverse');
  return {
    weight: weight ?? thing.weight,
    isReversed: texts.includes('reverse') || (thing.isReversed && !isStraight),
  };
}

/** Both stand outside all blocks. */
function isBefore(a: Statement, b: Statement): boolean {
  return a.number < b.number;
}

/** keepalived looks for the name where it is used. */
function reportDefinedLater(place: Word, { keyword }: Statement, report: Report): void {
  const message = `${place.text} is not tracked: its ${keyword.text} comes later, in line ${keyword.line}`;
  report.add('as-keepalived', place, message, `move the ${keyword.text} up, before its use`);
}

/** Comparing is dear, and a file with thousands of names may have many wrong ones. */
const namesCompared = 1_000;

/** `keyword` is the block that would define the name. */
export function reportUnknownName(
  place: Word,
  keyword: string,
  known: Iterable<string>,
  report: Report,
  severity?: Severity,
): void {
  const meant = nearest(place.text, [...known].slice(0, namesCompared));
  const help = meant === undefined ? `write ${keyword} ${place.text} { … }` : `did you mean ${meant}?`;
  const outcome = severity === undefined ? '' : ': nothing is tracked here';
  report.add('unknown-name', place, `no ${keyword} is called ${place.text}${outcome}`, help, severity);
}

export function trackLines(tracks: readonly Track[]): Lines {
  return (['interface', 'script', 'file'] as const).flatMap((kind) => {
    const lines = tracks.filter((track) => track.kind === kind).map(trackLine);
    return lines.length === 0 ? [] : [[`track_${kind}`, lines] as const];
  });
}

function trackLine({ kind, name, weight, isReversed }: Track): string {
  // A script's own weight is not printed; a file's is, and may be reversed.
  const direction = isReversed ? ' reverse' : kind === 'file' ? ' noreverse' : '';
  return `${word(name)} weight ${weight}${direction}`;
}
