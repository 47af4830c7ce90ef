#!/usr/bin/env node
// The program `director`.

import { runCommandLine } from './program.js';

const code = await runCommandLine(process.argv.slice(2));

// Not by itself: a lookup of names that was given up may still be running.
process.stdout.write('', () => process.exit(code));
