// track_interface, track_script and track_file of instances and groups: `NAME [weight N] [reverse|noreverse]`. What a
// line does not say comes from the script or file that it names.

import { nearest } from '../../model/nearest.js';
import type { Track } from '../../model/virtual-router.js';
import type { Word } from '../lexer.js';
import type { Report } from '../report.js';
import type { Block } from '../tree.js';
import { readInteger } from '../values.js';

/** What a `vrrp_script` or `track_file` says about those who track it. */
export type Trackable = { readonly weight: number; readonly isReversed: boolean };

/** By name; undefined: there, but left out. */
export type Trackables = {
  readonly scripts: ReadonlyMap<string, Trackable | undefined>;
  readonly files: ReadonlyMap<string, Trackable | undefined>;
};

const usual: Trackable = { weight: 0, isReversed: false };

/** A track with the place where it is written. */
export type WrittenTrack = { readonly place: Word; readonly track: Track };

/** In the order interfaces, scripts, files. Reports names that nothing defines, and things tracked twice. */
export function readTracks(block: Block, known: Trackables, report: Report): WrittenTrack[] {
  return [
    ...readKind(block, 'interface', undefined, report),
    ...readKind(block, 'script', known.scripts, report),
    ...readKind(block, 'file', known.files, report),
  ];
}

function readKind(
  block: Block,
  kind: Track['kind'],
  known: ReadonlyMap<string, Trackable | undefined> | undefined,
  report: Report,
): WrittenTrack[] {
  const found = new Map<string, WrittenTrack>();
  for (const { shape, block: list } of block.repeated) {
    if (shape.name !== `track_${kind}`) continue;
    for (const words of list?.items ?? []) {
      const [place] = words;
      if (place === undefined) continue;
      const name = place.text;
      const thing = known === undefined ? usual : known.get(name);
      const before = found.get(name);
      if (thing === undefined) {
        if (known?.has(name)) continue;
        reportUnknownName(place, kind === 'script' ? 'vrrp_script' : 'track_file', known?.keys(), report);
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

/** Comparing is dear, and a file with thousands of names may have many wrong ones. */
const namesCompared = 1_000;

/** `keyword` is the block that would define the name. */
export function reportUnknownName(
  place: Word,
  keyword: string,
  known: Iterable<string> | undefined,
  report: Report,
): void {
  const meant = nearest(place.text, [...(known ?? [])].slice(0, namesCompared));
  const help = meant === undefined ? `write ${keyword} ${place.text} { … }` : `did you mean ${meant}?`;
  report.add('unknown-name', place, `no ${keyword} is called ${place.text}`, help);
}
