// Makes the garbage collector of this process pause more often and shorter: with a young generation of 16 MB each of
// its collections held up a reload of 10,000 servers by about 11 ms, with one of 1 MB by about 2.

import { setFlagsFromString } from 'node:v8';

/** For the whole process, so only a program's start may call it; before there is much on the heap. */
export function preferShortPauses(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
