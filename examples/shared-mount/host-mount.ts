import { mkdirSync } from 'node:fs';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { run } from '@cleat/linux/process/run';
import { unavailable } from '@cleat/sdk';

/** The source of the mount: a directory of this host, or anything that mount(8) takes. */
export interface Source {
  device: string;
  /** Without it `device` is a directory. */
  type?: string;
  /** As `mount -o` takes them. */
  o?: string;
}

/**
 * The one mount. One that is there already, because we were killed, is kept: containers are on it.
 * @throws Unavailable
 */
export async function ensureMounted(target: string, { device, type, o }: Source): Promise<void> {
  mkdirSync(target, { recursive: true });
  if (isMountPoint(target)) return;
  const how = type === undefined ? ['--bind'] : ['-t', type];
  const options = ['nosuid', 'nodev', ...(o ? [o] : [])].join(',');
  // A process of its own: a server that does not answer holds that process, not us.
  const { code, stderr } = await run('mount', [...how, '-o', options, '--', device, target]);
  if (code !== 0) throw unavailable(`${device} cannot be mounted on ${target}: ${stderr.trim()}`);
}
