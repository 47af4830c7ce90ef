// Bytes that somebody wrote as text: UTF-8 as everybody takes it; anything else keeps its bytes, each that is no ASCII as
// a lone surrogate (U+DC80 to U+DCFF, as Python's surrogateescape), so that what goes out is what came in.

const escapes = 0xdc00;

/** A character of UTF-8 (RFC 3629 4) longer than a byte, or a byte that is in none; in a string of bytes. */
const character =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

/** `encodeText` gives the same bytes back, whatever they are. */
export function decodeText(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes);
  } catch {
    const codes = (text: string) => Uint8Array.from(text, (byte) => byte.charCodeAt(0));
    return Array.from(bytes, (byte) => String.fromCharCode(byte))
      .join('')
      .replace(character, (found) =>
        found.length === 1
          ? String.fromCharCode(escapes + found.charCodeAt(0))
          : decoder.decode(codes(found)),
      );
  }
}

/** Where the first byte stands that `decodeText` had to keep; -1 without one. */
export function escapedByteIn(text: string): number {
  return text.search(/(?<![\ud800-\udbff])[\udc80-\udcff]/);
}

export function encodeText(text: string): Uint8Array {
  if (escapedByteIn(text) < 0) return new TextEncoder().encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    if (escapedByteIn(character) === 0) bytes.push(character.charCodeAt(0) - escapes);
    else bytes.push(...new TextEncoder().encode(character));
  }
  return Uint8Array.from(bytes);
}
