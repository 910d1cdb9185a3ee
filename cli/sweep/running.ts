import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '@cleat/linux/syscall/lock';
import { invalidParameter } from '@cleat/protocol/errors';
import type { EngineRoots } from './sweep.js';

/**
 * The process of the engine that holds these roots, if one runs.
 * @throws CleatError InvalidParameter when the directory was never an engine's, so that nothing else is ever removed.
 */
export function runningEngine({ dataRoot, execRoot }: EngineRoots): number | undefined {
  if (!existsSync(join(dataRoot, 'engine-id'))) throw invalidParameter(`${dataRoot} is not the data root of an engine`);
  for (const path of [join(dataRoot, 'lock'), join(execRoot, 'lock')]) {
    if (!existsSync(path)) continue;
    const fd = openSync(path, 'r');
    const free = tryLock(fd);
    closeSync(fd);
    if (!free) return Number(readFileSync(path, 'utf8'));
  }
  return undefined;
}
