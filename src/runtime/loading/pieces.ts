// A large value in pieces, each taken up by the event loop in a fraction of a millisecond: long arrays leave their value and
// follow in stretches. Plain data only: objects, arrays, and what has no parts.

/** `items` belong at the end of the array at `path` of the value. */
export type Piece = { readonly path: readonly (string | number)[]; readonly items: readonly unknown[] };

/** An array is cut when it has more parts, counted through and through; so is a stretch of one. */
const partsPerPiece = 2_000;

/** The value without its long arrays, and the pieces that fill them, in the order in which `join` takes them. */
export function cut(value: unknown): { readonly head: unknown; readonly pieces: Iterable<Piece> } {
  const pieces: Piece[] = [];
  const head = without(value, [], pieces).value;
  return { head, pieces };
}

/** Puts a piece where it belongs; `head` is changed. */
export function join(head: unknown, { path, items }: Piece): void {
  const place = path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], head);
  (place as unknown[]).push(...items);
}

type Cut = { readonly value: unknown; readonly parts: number };

/** Cuts what lies deeper first, so that an element that stands in a piece is small itself. */
function without(value: unknown, path: Piece['path'], pieces: Piece[]): Cut {
  if (typeof value !== 'object' || value === null) return { value, parts: 1 };
  if (!Array.isArray(value)) {
    const entries: [string, unknown][] = [];
    let parts = 1;
    for (const [key, entry] of Object.entries(value)) {
      const inner = without(entry, [...path, key], pieces);
      entries.push([key, inner.value]);
      parts += inner.parts;
    }
    return { value: Object.fromEntries(entries), parts };
  }
  const deeper: Piece[] = [];
  const elements = value.map((element, index) => without(element, [...path, index], deeper));
  const parts = elements.reduce((sum, element) => sum + element.parts, 1);
  if (parts <= partsPerPiece) {
    pieces.push(...deeper);
    return { value: elements.map((element) => element.value), parts };
  }
  let items: unknown[] = [];
  let size = 0;
  const end = () => {
    if (items.length > 0) pieces.push({ path, items });
    items = [];
    size = 0;
  };
  for (const element of elements) {
    if (size + element.parts > partsPerPiece) end();
    items.push(element.value);
    size += element.parts;
  }
  end();
  // The elements are in place by now.
  for (const piece of deeper) pieces.push(piece);
  return { value: [], parts: 1 };
}
