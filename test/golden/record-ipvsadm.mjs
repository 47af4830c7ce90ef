// Records test/golden/ipvsadm.json anew: runs each command of it where ip_vs is, as root, and writes down what came.
// For a machine (or a virtual one) whose tables may be cleared; `node record-ipvsadm.mjs FILE`.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const [file] = process.argv.slice(2);
const scenarios = JSON.parse(readFileSync(file, 'utf8'));
for (const { commands } of scenarios) {
  for (const command of commands) {
    const [program, ...args] = command.run.split(' ');
    const { status, stdout, stderr } = spawnSync(program, args, {
      input: command.stdin ?? '',
      encoding: 'utf8',
    });
    Object.assign(command, { stdout, stderr, code: status });
  }
}
writeFileSync(file, `${JSON.stringify(scenarios, undefined, 1)}\n`);
