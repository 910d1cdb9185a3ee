import { messageOf } from '@cleat/protocol/errors';
import { cleatVersion } from '../version.js';
import { helpText } from './options/help.js';
import { parseFlags, UsageError } from './options/parse.js';
import { loadSettings, type Settings } from './settings.js';

/** The command `cleatd`. Everything that the daemon itself needs is loaded only once it is to run. */
async function main(argv: readonly string[]): Promise<number> {
  const flags = parseFlags(argv);
  if (flags.get('help') === true) {
    process.stdout.write(helpText(Math.min(process.stdout.columns ?? 100, 120)));
    return 0;
  }
  if (flags.get('version') === true) {
    process.stdout.write(`Cleat version ${cleatVersion()}\n`);
    return 0;
  }
  const settings: Settings = await loadSettings(flags);
  if (flags.get('validate') === true) {
    const { checkExposure } = await import('./exposure.js');
    const { preflight } = await import('./preflight.js');
    const problems = await preflight(settings, { all: true });
    if (problems.length > 0) throw new UsageError(problems.join('\n'));
    for (const warning of [...settings.warnings, ...checkExposure(settings)])
      process.stderr.write(`warning: ${warning}\n`);
    process.stdout.write('configuration OK\n');
    return 0;
  }
  const { runDaemon } = await import('./daemon.js');
  return runDaemon(settings, flags);
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const usage = error instanceof UsageError;
    const stack = error instanceof Error && process.env.CLEAT_TRACE ? `\n${error.stack}` : '';
    process.stderr.write(`cleatd: ${messageOf(error)}${stack}\n`);
    if (usage && /^unknown|^flag needs|^invalid argument|accepts no arguments/.test(messageOf(error))) {
      process.stderr.write("See 'cleatd --help'.\n");
    }
    process.exit(1);
  },
);
