#!/usr/bin/env node
// The program `director`.

// First: until there is a listener, USR1 would open Node's debugger.
import './no-debugger.js';
import { runCommandLine } from './program.js';

const code = await runCommandLine(process.argv.slice(2));

// Not by itself: a lookup of names that was given up may still be running.
process.stdout.write('', () => process.exit(code));
