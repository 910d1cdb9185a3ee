import type { Logger } from '@cleat/protocol/log';
import { LogDriver } from '@cleat/sdk/logs/driver';
import { readFiles } from '@cleat/sdk/logs/read-files';
import { local } from './destination.js';
import { localFormat } from './format.js';
import type { LocalOptions } from './log-options.js';

/** The driver `local`. */
export function localDriver(log: Logger): LogDriver<LocalOptions> {
  return new LogDriver({
    destination: local,
    worker: new URL('./worker.js', import.meta.url),
    read: ({ path }, config, following) => readFiles(path, localFormat([]), config, following),
    verbatim: true,
    isSame: (one, other) => one.path === other.path,
    log,
  });
}
