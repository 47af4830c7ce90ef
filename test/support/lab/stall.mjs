// Preloaded into a director by NODE_OPTIONS=--import=…: blocks its event loop for as many milliseconds as the file
// UVS_LAB_STALL_FILE says as soon as that file appears. Threads of the addon run on; the process answers nobody.
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { env } from 'node:process';
import { isMainThread } from 'node:worker_threads';

const file = env.UVS_LAB_STALL_FILE;
const lookEvery_ms = 20;

if (isMainThread && file !== undefined) setInterval(look, lookEvery_ms).unref();

function look() {
  let milliseconds;
  try {
    milliseconds = Number(readFileSync(file, 'utf8'));
  } catch {
    return;
  }
  rmSync(file);
  appendFileSync(`${file}.log`, 'blocked\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  appendFileSync(`${file}.log`, 'free\n');
}
