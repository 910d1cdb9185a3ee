import { constants } from 'node:os';
import { readExit, wasOomKilled } from '@cleat/linux/conmon/exits';
import { isAlive, type ProcessIdentity } from '@cleat/linux/process/identity';
import type { OciRuntime } from '@cleat/linux/runtime/runtime';
import { endsWithin } from '@cleat/protocol/async/deadline';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { PluginPlaces } from './places.js';

/** How often an adopted one, which is no child of ours, is looked after: a read of a small file of the kernel's. */
const lookMs = 200;
/** How long a killed one may take to be gone; one that hangs in the kernel is left to it. */
const dyingMs = 5_000;

/** Resolves when a conmon that another engine started has ended, or its plugin has without it. */
export function watchMonitor(processes: { init: ProcessIdentity; conmon: ProcessIdentity }): {
  ended: Promise<void>;
  close(): void;
} {
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<void>((resolve) => {
    const look = () => {
      // It writes the exit file after its container's end, and then ends itself.
      if (!isAlive(processes.conmon)) resolve();
      else timer = setTimeout(look, lookMs).unref();
    };
    look();
  });
  return { ended, close: () => clearTimeout(timer) };
}

/** How a run ended, as a phrase. */
export function phraseOf({ id, exits, bundle }: PluginPlaces): string {
  const exit = readExit(exits, id);
  if (!exit) return 'its monitor was killed';
  if (wasOomKilled(bundle)) return 'it ran out of memory';
  const signal = Object.entries(constants.signals).find(([, number]) => number === exit.code - 128);
  return signal ? `killed by ${signal[0]}` : `exit code ${exit.code}`;
}

/** Asks it to stop, and makes it after so long. Resolves when it has ended, or cannot be got rid of. */
export async function stopRunning(
  { runtime, id, ended, log }: { runtime: OciRuntime; id: string; ended: Promise<unknown>; log: Logger },
  graceMs: number,
): Promise<void> {
  const signal = async (name: 'SIGTERM' | 'SIGKILL') => {
    try {
      await runtime.kill(id, name);
    } catch (error) {
      // It has ended in this moment, which is what is wanted.
      if (isClass(error, 'NotFound') || isClass(error, 'Conflict')) return;
      log.warn(`the plugin cannot be sent ${name}`, { error: messageOf(error) });
    }
  };
  if (graceMs > 0) {
    await signal('SIGTERM');
    if (await endsWithin(graceMs, ended)) return;
  }
  await signal('SIGKILL');
  if (!(await endsWithin(dyingMs, ended))) log.warn('the plugin was killed, and does not end');
}
