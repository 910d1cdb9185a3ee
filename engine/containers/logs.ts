import { conflict, notImplemented } from '@cleat/protocol/errors';
import type { Container } from './container.js';
import type { ContainerRecord } from './record.js';
import type { Room } from './room.js';
import type { LogOptions } from './service.js';

/** `docker logs`, from the spool. @throws Conflict, NotImplemented when its log driver keeps nothing to read */
export function containerLogs(
  room: Room,
  { id, record }: Container,
  options: LogOptions,
): { tty: boolean; chunks: AsyncIterable<Uint8Array> } {
  if (record.state.status === 'removing' || record.state.status === 'dead') {
    throw conflict('can not get logs from container which is dead or marked for removal');
  }
  if (!room.spool.canRead(record.hostConfig.LogConfig?.Type ?? room.config.logDriver)) {
    throw notImplemented('configured logging driver does not support reading');
  }
  const { details, ...rest } = options;
  const tty = record.config.Tty === true;
  const query = { ...rest, multiplexed: !tty, details: details ? detailsOf(record) : undefined };
  return { tty, chunks: room.spool.logs(id, query) };
}

/** Labels and environment that the log options `labels` and `env` name, as `docker logs --details` shows them. */
function detailsOf({ config, hostConfig }: ContainerRecord): string {
  const options = hostConfig.LogConfig?.Config ?? {};
  const names = (list: string | undefined) => (list ? list.split(',') : []);
  const pairs: [string, string][] = [];
  for (const name of names(options.labels)) {
    const value = config.Labels?.[name];
    if (value !== undefined) pairs.push([name, value]);
  }
  for (const name of names(options.env)) {
    const entry = config.Env?.find((candidate) => candidate.startsWith(`${name}=`));
    if (entry !== undefined) pairs.push([name, entry.slice(name.length + 1)]);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return `${pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join(',')} `;
}
