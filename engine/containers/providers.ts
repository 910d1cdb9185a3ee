import { isIP } from 'node:net';
import { posix } from 'node:path';
import { cgroupsOfProcess, listeningSockets } from '@cleat/linux/process/belongings';
import { listeningPid } from '@cleat/linux/syscall/socket';
import { messageOf } from '@cleat/protocol/errors';
import { cgroupOf } from './cgroup.js';
import type { Context } from './context.js';
import type { Container } from './state/container.js';

/**
 * The container that an extension runs in: who listens at its address (`unix:///path`, `tcp://host:port`) is asked of
 * the kernel. Nothing is declared, so nothing can be wrong. @returns undefined when no container of ours does
 */
export function providerAt(context: Context, address: string): Container | undefined {
  const [, scheme = '', rest = ''] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  const running = context.registry.all().filter(({ record }) => record.state.pid > 0);
  if (running.length === 0) return undefined;
  return scheme === 'unix' ? listenerAt(context, running, rest) : servingAt(context, running, rest);
}

function listenerAt(
  context: Pick<Context, 'config' | 'log'>,
  running: readonly Container[],
  path: string,
): Container | undefined {
  let pid: number;
  try {
    pid = listeningPid(path);
  } catch (error) {
    context.log.debug('no process can be found behind a socket', { path, error: messageOf(error) });
    return undefined;
  }
  const groups = cgroupsOfProcess(pid);
  if (groups.length > 0) return running.find((container) => isWithin(context, container, groups));
  // It has handed the socket on to a child and ended. The process that shares the file with us has such a socket open.
  const sharing = running.filter((container) => {
    const inside = pathInside(container, path);
    return inside !== undefined && listeningSockets(container.record.state.pid).includes(inside);
  });
  // On the host's network all have the same list: the socket is that of the last one who could make it.
  return sharing.sort((a, b) => (a.record.state.startedAt < b.record.state.startedAt ? 1 : -1))[0];
}

function isWithin(context: Pick<Context, 'config'>, { record }: Container, groups: readonly string[]): boolean {
  const own = cgroupOf(context.config, record);
  return groups.some((group) => group === own || group.startsWith(`${own}/`));
}

/** Where a file of the host is for a container, by its bind mounts. */
function pathInside({ record }: Container, path: string): string | undefined {
  for (const { source, destination } of record.mounts.filter(({ type }) => type === 'bind')) {
    const relative = posix.relative(source, path);
    if (relative !== '..' && !relative.startsWith('../')) return posix.join(destination, relative);
  }
  return undefined;
}

/** By its own address, or a port that it publishes on this host. */
function servingAt(
  context: Pick<Context, 'networks'>,
  running: readonly Container[],
  hostAndPort: string,
): Container | undefined {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(hostAndPort) ?? [];
  const isHost = host === 'localhost' || (isIP(host) !== 0 && (host.startsWith('127.') || host === '::1'));
  return running.find(({ id }) => {
    const { networks, ports } = context.networks.settings(id);
    const own = Object.values(networks).some(({ IPAddress, GlobalIPv6Address }) =>
      [IPAddress, GlobalIPv6Address].includes(host),
    );
    const published = Object.values(ports).flatMap((bindings) => bindings ?? []);
    return own || published.some(({ HostIp, HostPort }) => HostPort === port && (isHost || HostIp === host));
  });
}
