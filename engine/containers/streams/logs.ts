import { hostname } from 'node:os';
import { conflict } from '@cleat/protocol/errors';
import { detailsText, taggedAttributes } from '@cleat/protocol/log-attributes';
import type { Container } from '../container.js';
import { logInfo } from '../life/log-info.js';
import type { Room } from '../room.js';
import type { ContainerLogs, LogOptions } from '../service.js';

/** `docker logs`. @throws Conflict, NotImplemented when nothing is kept to be read */
export async function containerLogs(room: Room, container: Container, options: LogOptions): Promise<ContainerLogs> {
  const { id, record } = container;
  if (record.state.status === 'removing' || record.state.status === 'dead') {
    throw conflict('can not get logs from container which is dead or marked for removal');
  }
  const { details, ...rest } = options;
  const tty = record.config.Tty === true;
  const driver = record.hostConfig.LogConfig?.Type ?? room.config.logDriver;
  const info = logInfo(room, container);
  const query = {
    ...rest,
    multiplexed: !tty,
    details: details ? detailsText(taggedAttributes(info, hostname())) : undefined,
  };
  return { tty, ...(await room.spool.logs(id, driver, info, query)) };
}
