#!/usr/bin/env node
// The program `director`.

// First and alone: until it has run, signals end the process or open Node's debugger, and all modules are loaded before
// any runs.
import './early-signals.js';

// `director list | head`: a reader that has enough is no failure.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const { runCommandLine } = await import('./program.js').catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'EMFILE') throw error;
  process.stderr.write(
    'director: too few file descriptors to load the program; allow 256 (ulimit -n, LimitNOFILE=)\n',
  );
  process.exit(1);
});
const code = await runCommandLine(process.argv.slice(2));

// Not by itself: a lookup of names that was given up may still be running.
process.stdout.write('', () => process.exit(code));
