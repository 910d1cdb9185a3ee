import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

export interface SignalActions {
  reload(): Promise<void>;
  dump(): void;
  log: Logger;
}

/** How many requests to stop end the daemon without waiting for containers, as dockerd's. */
const forceAfter = 3;

/** Resolves with the first signal that asks the daemon to stop. The others act at once, until the process ends. */
export function onSignals({ reload, dump, log }: SignalActions): Promise<NodeJS.Signals> {
  process.on('SIGHUP', () => {
    reload().catch((error: unknown) => log.error(`reload: ${messageOf(error)}`));
  });
  process.on('SIGUSR1', () => {
    try {
      dump();
    } catch (error) {
      log.error(`the state could not be written: ${messageOf(error)}`);
    }
  });
  return new Promise((resolve) => {
    let asked = 0;
    const stop = (signal: NodeJS.Signals) => {
      asked++;
      if (asked >= forceAfter) {
        log.warn(`asked to stop ${asked} times: ending at once, containers are left as they are`);
        process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
      }
      resolve(signal);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
