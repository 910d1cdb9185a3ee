import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '@cleat/linux/syscall/lock';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import type { EngineRoots } from './roots.js';

const lockFiles = ({ dataRoot, execRoot }: EngineRoots): string[] => [join(dataRoot, 'lock'), join(execRoot, 'lock')];

/**
 * @throws CleatError InvalidParameter when one of the directories was never this engine's: nothing else is ever
 * removed. The exec root may be gone, as after a reboot.
 */
export function checkIsEngine({ dataRoot, execRoot }: EngineRoots): void {
  const [dataId, execId] = [dataRoot, execRoot].map(engineIdIn);
  if (dataId === undefined) throw invalidParameter(`${dataRoot} is not the data root of an engine`);
  if (!existsSync(execRoot)) return;
  if (execId === undefined) throw invalidParameter(`${execRoot} is not the exec root of an engine`);
  const both = engineIdPattern.test(dataId) && engineIdPattern.test(execId);
  if (both && dataId !== execId)
    throw invalidParameter(`${execRoot} is the exec root of another engine than ${dataRoot}`);
}

const engineIdPattern = /^[\da-f-]{36}$/;

/** Reads a root that may be damaged; undefined when it does not belong to an engine. */
function engineIdIn(root: string): string | undefined {
  const path = join(root, 'engine-id');
  return existsSync(path) ? readFileSync(path, 'latin1').trim() : undefined;
}

/** The engine's ID, by whichever of its roots has it whole: one copy stands in for the other. */
export function engineIdOf({ dataRoot, execRoot }: EngineRoots): string | undefined {
  return [dataRoot, execRoot].map(engineIdIn).find((id) => id !== undefined && engineIdPattern.test(id));
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
