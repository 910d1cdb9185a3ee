import { invalidParameter } from '@cleat/protocol/errors';
import { run } from '../process/run.js';
import { errnoOf } from '../syscall/errno.js';
import { inNetworkNamespace } from '../syscall/namespace.js';
import { writeSysctl } from './facts.js';

const deadlineMs = 5_000;

/**
 * Sets a sysctl of an interface in a network namespace: `/proc/sys/net` shows each process its own namespace's.
 * @param name `net.X.Y.IFNAME.Z`; the interface's name is put in
 * @throws InvalidParameter for one that the kernel does not know, or a value that it does not take
 */
export async function setInterfaceSysctl(path: string, link: string, name: string, value: string): Promise<void> {
  const [net = '', family = '', group = '', , ...rest] = name.split('.');
  const file = ['/proc/sys', net, family, group, link, ...rest].join('/');
  // `dd` creates nothing and makes one write of it, as a sysctl wants it.
  const args = [`--net=${path}`, 'dd', `of=${file}`, 'conv=notrunc,nocreat', 'status=none'];
  const result = await run('nsenter', args, { input: value, deadlineMs });
  if (result.code === 0) return;
  const why = result.stderr.trim().replace(/^dd: /, '');
  throw invalidParameter(
    /No such file/.test(why) ? `${file} is not a sysctl file` : `unable to write to '${file}': ${why}`,
  );
}

/** No IPv6 there; or settings that the host's administrator keeps from everybody. */
const needless = ['ENOENT', 'EROFS', 'EACCES'];

/**
 * Has the kernel give these interfaces of a namespace no IPv6 addresses and routes of routers that advertise them, where
 * it may. In process. @throws the kernel's error
 */
export function ignoreAdvertisements(path: string, links: readonly string[]): void {
  if (links.length === 0) return;
  inNetworkNamespace(path, () => {
    for (const link of links) {
      try {
        writeSysctl(`ipv6/conf/${link}/accept_ra`, '0');
      } catch (error) {
        if (!needless.includes(errnoOf(error) ?? '')) throw error;
      }
    }
  });
}
