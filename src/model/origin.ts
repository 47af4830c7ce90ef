// Where in the text of a configuration a thing was said.

/** Lines and columns count from 1. */
export type Origin = { readonly file: string; readonly line: number; readonly column: number };
