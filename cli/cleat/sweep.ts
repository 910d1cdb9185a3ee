import { resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalidParameter } from '@cleat/protocol/errors';
import { checkIsEngine } from '../sweep/running.js';
import { sweep } from '../sweep/sweep.js';

export const sweepHelp = `
      --data-root DIR   The engine's data root, as /var/lib/cleat
      --exec-root DIR   The engine's exec root, as /run/cleat

Both must be named. Nothing is done while that engine runs.
`;

/** Options of the command; shells complete them. */
export const sweepOptions = {
  'data-root': { type: 'string' },
  'exec-root': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/** `cleat sweep`. Both roots must be named: nobody sweeps by accident. */
export async function sweepCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: sweepOptions });
  const { 'data-root': data, 'exec-root': exec } = values;
  if (!data || !exec) throw invalidParameter('name both --data-root and --exec-root of the engine to remove');
  const roots = { dataRoot: resolve(data), execRoot: resolve(exec) };
  checkIsEngine(roots);
  const failures = await sweep(roots);
  for (const failure of failures) process.stderr.write(`${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}
