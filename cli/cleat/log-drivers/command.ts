import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { DriverDeliveries } from '@cleat/engine/spool/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { terminalWidth } from '../columns.js';
import { ask } from '../engine/ask.js';
import { resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { table } from './text.js';

export const logDriversHelp = `
      --json            As JSON
${engineOptionsHelp}`;

/** Options of the command; shells complete them. */
export const logDriversOptions = {
  ...engineOptions,
  json: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `cleat log-drivers`: what the log drivers of an engine have not got.
 * @throws InvalidParameter, NotFound, Unavailable
 */
export async function logDriversCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: logDriversOptions,
  });
  if (positionals.length > 0) throw invalidParameter('use: cleat log-drivers [-H HOST] [--json]');
  const all = (await ask(resolveEndpoint(values), '/cleat/log-drivers')) as DriverDeliveries[];
  process.stdout.write(values.json ? `${JSON.stringify(all, null, 2)}\n` : table(all, terminalWidth()));
  return 0;
}
