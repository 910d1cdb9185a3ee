import { parseArgs } from 'node:util';
import { messageOf } from '@cleat/protocol/errors';
import type { ExtensionModule } from '@cleat/protocol/extension';
import { type Served, type ServeOptions, serve } from './serve.js';

/**
 * An extension's whole `main`: serves it until SIGTERM or SIGINT. Reads from the command line
 * `--socket PATH` (default `/run/docker/plugins/NAME.sock`) or `--tcp HOST:PORT`, and `--spec FILE`, which tells
 * engines of the TCP address. What cannot be served ends the process with one readable line.
 */
export async function run(module: ExtensionModule, options: Pick<ServeOptions, 'name' | 'options' | 'log'>) {
  try {
    await serveUntilSignal(() => serve(module, { ...options, ...commandLine(options.name) }));
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

function commandLine(name: string): Pick<ServeOptions, 'socket' | 'tcp'> {
  const { values } = parseArgs({
    options: { socket: { type: 'string' }, tcp: { type: 'string' }, spec: { type: 'string' } },
  });
  if (values.tcp === undefined) return { socket: values.socket ?? `/run/docker/plugins/${name}.sock` };
  const [, host, port] = /^(.*):(\d+)$/.exec(values.tcp) ?? [];
  if (port === undefined) throw new Error(`--tcp takes HOST:PORT, not '${values.tcp}'`);
  return { tcp: { host: host?.replace(/^\[(.*)\]$/, '$1') || undefined, port: Number(port), specFile: values.spec } };
}
