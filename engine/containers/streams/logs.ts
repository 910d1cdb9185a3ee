import { hostname } from 'node:os';
import { conflict, notImplemented } from '@cleat/protocol/errors';
import { detailsText, taggedAttributes } from '@cleat/protocol/log-attributes';
import type { Container } from '../container.js';
import { logInfo } from '../life/log-info.js';
import type { Room } from '../room.js';
import type { LogOptions } from '../service.js';

/** `docker logs`, from the spool. @throws Conflict, NotImplemented when its log driver keeps nothing to read */
export function containerLogs(
  room: Room,
  container: Container,
  options: LogOptions,
): { tty: boolean; chunks: AsyncIterable<Uint8Array> } {
  const { id, record } = container;
  if (record.state.status === 'removing' || record.state.status === 'dead') {
    throw conflict('can not get logs from container which is dead or marked for removal');
  }
  if (!room.spool.canRead(record.hostConfig.LogConfig?.Type ?? room.config.logDriver)) {
    throw notImplemented('configured logging driver does not support reading');
  }
  const { details, ...rest } = options;
  const tty = record.config.Tty === true;
  const query = {
    ...rest,
    multiplexed: !tty,
    details: details ? detailsText(taggedAttributes(logInfo(room, container), hostname())) : undefined,
  };
  return { tty, chunks: room.spool.logs(id, query) };
}
