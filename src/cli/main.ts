#!/usr/bin/env node
// The program `director`.

// First and alone: until it has run, USR1 would open Node's debugger, and all modules are loaded before any runs.
import './no-debugger.js';

const { runCommandLine } = await import('./program.js');
const code = await runCommandLine(process.argv.slice(2));

// Not by itself: a lookup of names that was given up may still be running.
process.stdout.write('', () => process.exit(code));
