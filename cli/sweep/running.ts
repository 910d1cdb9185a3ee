import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '@cleat/linux/syscall/lock';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { EngineRoots } from './sweep.js';

const lockFiles = ({ dataRoot, execRoot }: EngineRoots): string[] => [join(dataRoot, 'lock'), join(execRoot, 'lock')];

/** @throws CleatError InvalidParameter when the directory was never an engine's: nothing else is ever removed. */
export function checkIsEngine({ dataRoot }: EngineRoots): void {
  if (!existsSync(join(dataRoot, 'engine-id'))) throw invalidParameter(`${dataRoot} is not the data root of an engine`);
}

/** The process of the engine that holds one of these roots; undefined when none runs. */
export function heldBy(roots: EngineRoots): string | undefined {
  for (const path of lockFiles(roots)) {
    if (!existsSync(path)) continue;
    const fd = openSync(path, 'r');
    try {
      if (!tryLock(fd)) return readFileSync(path, 'utf8').trim() || 'unknown';
    } finally {
      closeSync(fd);
    }
  }
  return undefined;
}

/**
 * Keeps every engine off these roots for as long as the answer is held.
 * @throws CleatError Conflict while an engine runs on one of them
 */
export function holdRoots(roots: EngineRoots): Disposable {
  const held: number[] = [];
  const release = (): void => {
    for (const fd of held.splice(0)) closeSync(fd);
  };
  for (const path of lockFiles(roots)) {
    if (!existsSync(path)) continue;
    const fd = openSync(path, 'r');
    held.push(fd);
    if (tryLock(fd)) continue;
    const holder = readFileSync(path, 'utf8').trim() || 'unknown';
    release();
    throw conflict(`that engine runs (process ${holder}): stop it first`);
  }
  return { [Symbol.dispose]: release };
}
