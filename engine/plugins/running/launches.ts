import { availableParallelism } from 'node:os';
import type { Launcher } from '@cleat/extensions/supervisor/launcher';
import type { Semaphore } from '@cleat/protocol/async/semaphore';

/**
 * How many plugins are launched at once, when the engine starts above all: two for each processor, as one of a launch's
 * programs waits for another now and then. More take memory and gain nothing.
 */
export const launchesAtOnce = (processors = availableParallelism()): number => 2 * Math.max(processors, 1);

/** Launches when it is its turn. A plugin that runs already is found at once, and no plugin waits for another's answer. */
export function inTurn(launcher: Launcher, turns: Semaphore): Launcher {
  return {
    launch: (signal) => turns.run(() => launcher.launch(signal), signal),
    adopt: () => launcher.adopt(),
    close: () => launcher.close(),
  };
}
