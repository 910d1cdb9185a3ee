import { hostname } from 'node:os';
import { conflict } from '@cleat/protocol/errors';
import { detailsText, taggedAttributes } from '@cleat/protocol/log-attributes';
import type { Context } from '../context.js';
import type { ContainerLogs, LogOptions } from '../service.js';
import type { Container } from '../state/container.js';
import { logInfo } from '../steps/log-info.js';

/** `docker logs`. @throws Conflict, NotImplemented when nothing is kept to be read */
export async function containerLogs(
  context: Pick<Context, 'config' | 'paths' | 'spool'>,
  container: Container,
  options: LogOptions,
): Promise<ContainerLogs> {
  const { id, record } = container;
  if (record.state.status === 'removing' || record.state.status === 'dead') {
    throw conflict('can not get logs from container which is dead or marked for removal');
  }
  const { details, ...rest } = options;
  const tty = record.config.Tty === true;
  const driver = record.hostConfig.LogConfig?.Type ?? context.config.logDriver;
  const info = logInfo(context, container);
  const query = {
    ...rest,
    multiplexed: !tty,
    details: details ? detailsText(taggedAttributes(info, hostname())) : undefined,
  };
  return { tty, ...(await context.spool.logs(id, driver, info, query)) };
}
