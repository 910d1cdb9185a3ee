import { messageOf } from '@cleat/protocol/errors';
import type { ExtensionModule } from '@cleat/protocol/extension';
import { type Served, type ServeOptions, serve } from './serve.js';

/**
 * An extension's whole `main`: serves it until SIGTERM or SIGINT. Reads from the command line
 * `--socket PATH` (default `/run/docker/plugins/NAME.sock`) or `--tcp HOST:PORT`, and `--spec FILE`, which tells
 * engines of the TCP address; every other `--NAME VALUE` is an option for the module. What cannot be served ends the process with one readable line.
 */
export async function run(module: ExtensionModule, options: Pick<ServeOptions, 'name' | 'options' | 'log'>) {
  try {
    const given = commandLine(options.name, process.argv.slice(2));
    await serveUntilSignal(() =>
      serve(module, { ...options, ...given, options: { ...options.options, ...given.options } }),
    );
  } catch (error) {
    process.stderr.write(`${options.name}: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

/** Serves until SIGTERM or SIGINT, then closes in peace; a second signal ends at once. */
export async function serveUntilSignal(start: () => Promise<Served>): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
  });
  const served = await start();
  await signalled;
  await served.close();
}

/** @throws Error that says what is wrong with the command line */
function commandLine(name: string, args: readonly string[]) {
  const { socket, tcp, spec, ...options } = flags(args);
  if (tcp === undefined) return { options, socket: socket ?? `/run/docker/plugins/${name}.sock` };
  const [, host, port] = /^(.*):(\d+)$/.exec(tcp) ?? [];
  if (port === undefined) throw new Error(`--tcp takes HOST:PORT, not '${tcp}'`);
  return { options, tcp: { host: host?.replace(/^\[(.*)\]$/, '$1') || undefined, port: Number(port), specFile: spec } };
}

/** `--name value` or `--name=value`. */
function flags(args: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (let at = 0; at < args.length; at++) {
    const [, name, inline] = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(args[at] ?? '') ?? [];
    if (name === undefined) throw new Error(`expected --NAME VALUE, not '${args[at]}'`);
    const value = inline ?? args[++at];
    if (value === undefined) throw new Error(`--${name} needs a value`);
    values[name] = value;
  }
  return values;
}
