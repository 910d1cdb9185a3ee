import { join } from 'node:path';

/**
 * The host file that Docker names for drivers that write one (moby `daemon/container/container.go`, StartLogger). An
 * extension of that name writes there, no matter who made it.
 */
export function logPath(directory: string, id: string, driver: string | undefined): string {
  if (driver === 'json-file') return join(directory, `${id}-json.log`);
  if (driver === 'local') return join(directory, 'local-logs', 'container.log');
  return '';
}

/** The path for `docker inspect`: that of `local` is hidden, as under Docker. */
export function shownLogPath(directory: string, id: string, driver: string | undefined): string {
  return driver === 'local' ? '' : logPath(directory, id, driver);
}
