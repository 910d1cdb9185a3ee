import { parseArgs } from 'node:util';
import type { DriverDeliveries } from '@cleat/engine/spool/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { defaultSocket } from '../../cleatd/hosts.js';
import { ask } from '../extensions/ask.js';
import { table } from './text.js';

/**
 * `cleat log-drivers`: what the log drivers of the engine at -H or DOCKER_HOST have not got.
 * @throws InvalidParameter, Unavailable
 */
export async function logDriversCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { host: { type: 'string', short: 'H' }, json: { type: 'boolean' } },
  });
  if (positionals.length > 0) throw invalidParameter('use: cleat log-drivers [-H HOST] [--json]');
  const host = values.host ?? process.env.DOCKER_HOST ?? `unix://${defaultSocket}`;
  const all = (await ask(host, '/cleat/log-drivers')) as DriverDeliveries[];
  process.stdout.write(values.json ? `${JSON.stringify(all, null, 2)}\n` : table(all));
  return 0;
}
