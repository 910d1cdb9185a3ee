import type { Logger } from '@cleat/protocol/log';
import { LogDriver } from '@cleat/sdk/logs/driver';
import { syslog } from './destination.js';
import type { SyslogOptions } from './log-options.js';

/** The driver `syslog`. It cannot be read; `docker logs` shows the engine's own copy. */
export function syslogDriver(log: Logger): LogDriver<SyslogOptions> {
  return new LogDriver({
    destination: syslog,
    worker: new URL('./worker.js', import.meta.url),
    // A connection cannot be handed over: two of them would mix up the order.
    alwaysWorker: true,
    log,
  });
}
