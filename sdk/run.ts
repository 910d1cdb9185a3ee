import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { ExtensionModule } from '@cleat/protocol/extension';
import type { Logger } from '@cleat/protocol/log';
import { readOptions } from '@cleat/protocol/options';
import { readCommandLine, usage } from './command-line.js';
import { endWithNpm } from './end-with-npm.js';
import { jsonLogger, textLogger } from './log.js';
import { calledAt, placeOf } from './place.js';
import { type Served, type ServeOptions, serve } from './serve.js';

/** The exit code of a shell for a command line that cannot be understood. */
const usageExit = 2;

/**
 * An extension's whole `main`: serves it until SIGTERM, SIGINT or SIGHUP. The command line says where: `--socket PATH`
 * (default `/run/docker/plugins/NAME.sock`), `--tcp HOST:PORT` with `--tls-…` and `--spec FILE`, or nothing when a
 * service manager passed a socket; `--help` tells all. The module is told the name by which engines know that place:
 * `span` at `span.sock`. Every other `--NAME VALUE` is an option for the module, which
 * may declare what it knows. What cannot be served ends the process with one readable line: exit code 2 for the command
 * line, 1 for anything else.
 * @example await run(extension, { name: 'mine' });
 */
export async function run(module: ExtensionModule, options: Pick<ServeOptions, 'name' | 'options' | 'log'>) {
  const { name } = options;
  let settings: ServeOptions;
  try {
    const { flags, options: given } = readCommandLine(process.argv.slice(2), module.options);
    if (flags.help !== undefined) {
      process.stdout.write(usage(name, module.options));
      return;
    }
    settings = {
      name: calledAt(name, flags),
      log: options.log ?? logOf(flags['log-format'], flags.debug !== undefined),
      options: { ...options.options, ...given },
      ...placeOf(name, flags),
    };
    readOptions(name, module.options, settings.options ?? {});
  } catch (error) {
    process.stderr.write(`${name}: ${messageOf(error)} (--help tells more)\n`);
    process.exitCode = usageExit;
    return;
  }
  try {
    await serveUntilSignal(async () => {
      const served = await serve(module, settings);
      // The person or script that started it waits for this.
      settings.log?.info(`${name} is ready, at ${served.address}`);
      endWithNpm();
      return served;
    });
  } catch (error) {
    process.stderr.write(`${name}: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

/**
 * Serves until SIGTERM, SIGINT, or SIGHUP (its terminal was closed), then closes in peace; a second one ends at once.
 * What `start` makes visible is made there: a signal that comes from then on is not missed.
 * @returns what has served
 */
export async function serveUntilSignal<T extends Served>(start: () => Promise<T>): Promise<T> {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  const signalled = new Promise<void>((resolve) => {
    const onSignal = () => {
      // From here on they do what they do to any process.
      for (const name of signals) process.removeListener(name, onSignal);
      resolve();
    };
    for (const name of signals) process.on(name, onSignal);
  });
  const served = await start();
  await signalled;
  // The log goes to a terminal that may be gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  await served.close();
  return served;
}

/** @throws InvalidParameter */
function logOf(format: string | undefined, debug: boolean): Logger {
  const chosen = format ?? (process.stderr.isTTY ? 'text' : 'json');
  const more = { debug: debug || Boolean(process.env.DEBUG) };
  if (chosen === 'text') return textLogger(process.stderr, more);
  if (chosen === 'json') return jsonLogger(process.stderr, { ...more, time: true });
  throw invalidParameter(`--log-format is text or json, not '${chosen}'`);
}
