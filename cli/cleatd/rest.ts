import { giveMemoryBack } from '@cleat/linux/process/rest';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

const tickMs = 500;
/** CPU time in one tick below which the daemon counts as idle, in microseconds. */
const quiet = 5_000;
/** CPU time of work after which there is something to give back, in microseconds. */
const worthIt = 500_000;

/**
 * Gives memory back whenever work has ended: V8 by itself keeps garbage until the next allocation, which on an idle
 * machine may be tomorrow. @returns what ends it
 */
export function giveMemoryBackAtRest(log: Logger): () => void {
  let before = cpu();
  let givenBackAt = 0;
  const timer = setInterval(() => {
    const now = cpu();
    const used = now - before;
    before = now;
    if (used > quiet || now - givenBackAt < worthIt) return;
    try {
      // Only there with --expose-gc, as bin/cleatd starts us; without it V8 does as it sees fit.
      globalThis.gc?.();
      giveMemoryBack();
    } catch (error) {
      clearInterval(timer);
      log.debug(`memory is not given back at rest: ${messageOf(error)}`);
    }
    givenBackAt = before = cpu();
  }, tickMs).unref();
  return () => clearInterval(timer);
}

/** CPU time of this process, in microseconds. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
