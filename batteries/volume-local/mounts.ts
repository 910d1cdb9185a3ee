import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { run } from '@cleat/linux/process/run';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { cifsUrl, type MountOptions } from './options.js';

/** Less than the two minutes that engines wait for Mount, so that they hear the reason. */
const deadlineMs = 110_000;

export { isMountPoint };

/**
 * Mounts what the options say on `target`, in a process of its own: a server that does not answer holds that process,
 * not us. No mount helper (`mount.nfs`) is used; options go to the kernel as in Docker.
 * @throws System `failed to mount local volume: …`, without passwords
 */
export async function mountOn(target: string, options: MountOptions, signal: AbortSignal): Promise<void> {
  const { device, data } = await resolved(options);
  const args = ['-i', ...(options.MountType ? ['-t', options.MountType] : []), ...(data ? ['-o', data] : [])];
  let reason: string;
  try {
    const { code, stderr } = await run('mount', [...args, '--', device, target], { deadlineMs, signal });
    if (code === 0) return;
    reason = readable(stderr, target) || `mount ended with code ${code}`;
  } catch (error) {
    reason = messageOf(error);
  }
  throw systemError(`failed to mount local volume: mount ${device}:${target}: ${withoutPassword(reason, data)}`);
}

/** Takes the mount away at once; who still uses it (an open file) keeps it until done. @throws System */
export async function unmountFrom(target: string): Promise<void> {
  // Loaded when needed: most hosts have plain volumes only, and the system calls' library is the largest part of us.
  const { unmount } = await import('@cleat/linux/mount/mount');
  unmount(target);
}

/** The kernel takes addresses, not names: `addr=` and a CIFS server are looked up, as Docker does. */
async function resolved({
  MountType,
  MountOpts,
  MountDevice,
}: MountOptions): Promise<{ device: string; data: string }> {
  if (MountType !== 'nfs' && MountType !== 'cifs') return { device: MountDevice, data: MountOpts };
  const addr = /(?:^|,)addr=([^,]*)/.exec(MountOpts)?.[1];
  if (addr) {
    if (isIP(addr)) return { device: MountDevice, data: MountOpts };
    return { device: MountDevice, data: MountOpts.replace(`addr=${addr}`, `addr=${await addressOf(addr)}`) };
  }
  const host = MountType === 'cifs' ? cifsUrl(MountDevice)?.hostname : undefined;
  if (!host || isIP(host)) return { device: MountDevice, data: MountOpts };
  return { device: MountDevice.replace(`//${host}`, `//${await addressOf(host)}`), data: MountOpts };
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    throw systemError(`error resolving passed in network volume address: ${messageOf(cause)}`, { cause });
  }
}

/** mount(8) speaks of what Docker's users know as errno texts. */
function readable(stderr: string, target: string): string {
  const text = stderr.trim().split('\n')[0]?.replace('mount: ', '').replace(`${target}: `, '') ?? '';
  if (/does not exist/.test(text)) return `no such file or directory (${text})`;
  if (/unknown filesystem type/.test(text)) return `no such device (${text})`;
  return text;
}

function withoutPassword(text: string, data: string): string {
  const password = /(?:^|,)(?:password|pass)=([^,]+)/.exec(data)?.[1];
  return password ? text.replaceAll(password, '********') : text;
}
