import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { run } from '@cleat/linux/process/run';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { sourceOf } from './source.js';
import type { MountOptions } from './volume-options.js';

/** Less than the two minutes that engines wait for Mount, so that they hear the reason. */
const deadlineMs = 110_000;

export { isMountPoint };

/**
 * Mounts what the options say on `target`, in a process of its own: a server that does not answer holds that process,
 * not us. No mount helper (`mount.nfs`) is used; options go to the kernel as in Docker.
 * @throws System `failed to mount local volume: …`, without passwords
 */
export async function mountOn(target: string, options: MountOptions, signal: AbortSignal): Promise<void> {
  const { device, data } = await sourceOf(options);
  const args = ['-i', ...(options.MountType ? ['-t', options.MountType] : []), ...(data ? ['-o', data] : [])];
  let reason: string;
  try {
    const { code, stderr } = await run('mount', [...args, '--', device, target], { deadlineMs, signal });
    if (code === 0) return;
    reason = readable(stderr, target) || `mount ended with code ${code}`;
  } catch (error) {
    reason = messageOf(error);
  }
  const what = `mount ${device}:${target}${data ? `, data: ${data}` : ''}: ${reason}`;
  throw systemError(`failed to mount local volume: ${withoutPassword(what, data)}`);
}

/** Takes the mount away at once; who still uses it (an open file) keeps it until done. @throws System */
export async function unmountFrom(target: string): Promise<void> {
  // Loaded when needed: most hosts have plain volumes only, and the system calls' library is the largest part of us.
  const { unmount } = await import('@cleat/linux/mount/mount');
  unmount(target);
}

/** How mount(8) words what Docker's users know as the texts of errno; others it gives as they are. */
const wordings: readonly [RegExp, string][] = [
  [/ does not exist/, 'no such file or directory'],
  [/unknown filesystem type/, 'no such device'],
  [/^wrong fs type, |^bad option/, 'invalid argument'],
  [/ is not a block device/, 'block device required'],
];

function readable(stderr: string, target: string): string {
  const text = stderr.trim().split('\n')[0]?.replace('mount: ', '').replace(`${target}: `, '') ?? '';
  const plain = /^mount\(2\) system call failed: (.*?)\.?$/.exec(text)?.[1];
  if (plain) return plain.toLowerCase();
  const known = wordings.find(([wording]) => wording.test(text))?.[1];
  return known ? `${known} (${text})` : text;
}

function withoutPassword(text: string, data: string): string {
  const password = /(?:^|,)(?:password|pass)=([^,]+)/.exec(data)?.[1];
  return password ? text.replaceAll(password, '********') : text;
}
