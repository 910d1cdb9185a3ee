import { expect } from 'vitest';
import { leftOut } from './batteries.js';

/** The engine said that it misses the battery which this run does without, in the one way that is clear. */
export class Missed extends Error {
  constructor(command: string, said: string) {
    super(`${command}: ${said.trim()}`);
    this.name = 'Missed';
  }
}

const clear = `extension ${leftOut} is left out by the configuration; cleatd --extension ${leftOut}=in-process brings it back`;

/**
 * Ends a test where a command was refused because the battery is missing: the following steps no longer make sense.
 * @throws Missed
 */
export function checkMissed(command: string, said: string): void {
  if (leftOut !== undefined && said.includes(clear)) throw new Missed(command, said);
}

/** Waits until a client that runs in the background has said something. @throws Missed at once, when it will not */
export async function hear(said: () => string, awaited: string): Promise<void> {
  await expect
    .poll(() => said().includes(awaited) || said().includes(clear), { message: `the client says ${awaited}` })
    .toBe(true);
  checkMissed('docker', said());
}

/** Whether an error is one, or was caused by one: `expect.poll` wraps what it saw. */
export function isMissed(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof Missed) return true;
  return false;
}
