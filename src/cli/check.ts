// `director check`: reads a configuration and says all that is wrong with it. Text only: it looks at no device.

import { diagnosticJson, formatDiagnostics, parseConfig, printConfig } from '../config/index.js';
import { readSource } from '../runtime/config-source.js';
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

type Options = {
  readonly file?: string;
  readonly directorConfig?: string;
  readonly configId?: string;
  readonly print?: true;
  readonly lenient?: true;
  readonly werror?: true;
  readonly json?: true;
};

export const addCheck: AddVerb = (program) => {
  program
    .command('check')
    .description('check a configuration without looking at this machine')
    .addOption(fileOption())
    .addOption(directorConfigOption())
    .addOption(configIdOption())
    .option('--print', 'print what it means, in the form of keepalived.conf')
    .addOption(lenientOption())
    .addOption(werrorOption())
    .addOption(jsonOption())
    // Every command takes it; this one asks nobody.
    .addOption(socketOption())
    .action(check);
};

async function check(options: Options): Promise<void> {
  const request = await readSource(
    { configFile: resolveConfigFile(options.file) },
    {
      lenient: options.lenient,
      werror: options.werror,
      directorConfigFile: options.directorConfig,
      configId: options.configId,
    },
  );
  const { config, diagnostics } = parseConfig(request);
  const text = options.print && config !== undefined ? printConfig(config) : undefined;
  if (options.json) {
    const print = text === undefined ? {} : { text, config };
    printJson({ isGood: config !== undefined, diagnostics: diagnostics.map(diagnosticJson), ...print });
  } else {
    printError(formatDiagnostics(diagnostics));
    if (text !== undefined) print(text);
  }
  if (config === undefined) throw new Exit(exitCodes.failed);
}
