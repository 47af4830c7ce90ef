// `director check`: reads a configuration and says all that is wrong with it. Text only, unless --here asks for this
// machine's devices and accounts, too.

import { diagnosticJson, formatDiagnostics, printConfig } from '../config/index.js';
import { createConfigLoader } from '../runtime/loading/loader.js';
import {
  type AddVerb,
  configIdOption,
  directorConfigOption,
  Exit,
  exitCodes,
  fileOption,
  jsonOption,
  lenientOption,
  print,
  printError,
  printJson,
  resolveConfigFile,
  socketOption,
  werrorOption,
} from './command.js';
import { examineConfig } from './config-checks.js';
import { formatFindings } from './finding.js';
import { thisMachine } from './machine.js';
import { machineText, scriptsThatRun, sumText, verdictText } from './sum.js';

type Options = {
  readonly file?: string;
  readonly directorConfig?: string;
  readonly configId?: string;
  readonly here?: true;
  readonly print?: true;
  readonly lenient?: true;
  readonly werror?: true;
  readonly json?: true;
};

export const addCheck: AddVerb = (program) => {
  program
    .command('check')
    .description('check a configuration; --here: with the devices, scripts and accounts of this machine')
    .addOption(fileOption())
    .addOption(directorConfigOption())
    .addOption(configIdOption())
    .option('--here', 'look at this machine, too: are its devices here, and who runs its scripts')
    .option('--print', 'print what it means, in the form of keepalived.conf')
    .addOption(lenientOption())
    .addOption(werrorOption())
    .addOption(jsonOption())
    // Every command takes it; this one asks nobody.
    .addOption(socketOption())
    .action(check);
};

async function check(options: Options): Promise<void> {
  const load = createConfigLoader({
    lenient: options.lenient,
    werror: options.werror,
    directorConfigFile: options.directorConfig,
    configId: options.configId,
  });
  const file = resolveConfigFile(options.file);
  const { config, sum, diagnostics } = await load({ configFile: file });
  const text = options.print && config !== undefined ? printConfig(config) : undefined;
  const findings = options.here && config !== undefined ? examineConfig(thisMachine, config) : undefined;
  const isGood = config !== undefined && findings?.some(({ level }) => level === 'error') !== true;
  if (options.json) {
    const here = findings === undefined ? {} : { findings };
    const print = text === undefined ? {} : { text, config };
    printJson({ isGood, diagnostics: diagnostics.map(diagnosticJson), ...here, ...print });
  } else {
    printError(`${formatDiagnostics(diagnostics)}${formatFindings(findings ?? [])}`);
    const scripts = options.here && config !== undefined ? scriptsThatRun(config, thisMachine) : undefined;
    printError(
      `${file}: ${verdictText(diagnostics)}${machineText(findings ?? [])}: ${sumText(sum, scripts)}\n`,
    );
    if (text !== undefined) print(text);
  }
  if (!isGood) throw new Exit(exitCodes.failed);
}
