import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskGuard } from '@cleat/linux/files/disk-guard';
import { git as gitIn } from '@cleat/linux/process/git';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { Root } from '@cleat/linux/rootfs/root';
import { invalidParameter } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import { fault } from '../language/fault.js';

/** A repository as ADD names it: `https://host/x.git#ref:directory`, `git@host:x.git`. */
export interface GitSource {
  readonly url: string;
  /** A branch, tag, or commit; empty: the remote's own. */
  readonly ref: string;
  readonly directory: string;
}

/** @returns undefined for what is no repository @throws DockerfileFault for one that cannot be asked for */
export function gitSource(text: string): GitSource | undefined {
  const [address = '', fragment = ''] = splitOnce(text, '#');
  const isGit =
    /^(git|ssh):\/\//.test(address) ||
    /^[A-Za-z0-9_][\w.-]*@[\w.-]+:/.test(address) ||
    /^https?:\/\/[^?]+\.git$/.test(address);
  if (!isGit) return undefined;
  const [ref = '', directory = ''] = splitOnce(fragment, ':');
  // A word that begins with a dash would be an option of git's.
  if (ref.startsWith('-') || address.startsWith('-') || /[\0-\x20\x7f]/.test(address + ref)) {
    throw fault(`invalid git reference: ${readable(text)}`);
  }
  return { url: address, ref, directory };
}

/**
 * Fetches a commit into `directory`, which does not exist.
 * @param checksum the commit's beginning @returns the commit @throws InvalidParameter with git's words
 */
export async function fetchRepository(
  { url, ref }: GitSource,
  directory: string,
  options: { keepGitDir: boolean; checksum?: string; sshSocket?: string; signal: AbortSignal },
): Promise<string> {
  const env = {
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null',
    ...(options.sshSocket !== undefined && { SSH_AUTH_SOCK: options.sshSocket }),
  };
  await mkdir(directory);
  using guard = new DiskGuard(directory, options.signal);
  const git = async (...args: string[]) => {
    const result = await guard.over(gitIn(directory, args, { env, signal: guard.signal }));
    if (result.code === 0) return result.stdout.trim();
    throw invalidParameter(`failed to fetch ${readable(url)}: ${readable(result.stderr.trim(), 500)}`);
  };
  await git('init', '--quiet');
  await git('remote', 'add', 'origin', '--', url);
  await git('fetch', '--quiet', '--depth=1', '--no-tags', 'origin', '--', ref || 'HEAD');
  await git('checkout', '--quiet', '--force', 'FETCH_HEAD', '--');
  const commit = await git('rev-parse', 'HEAD');
  if (options.checksum !== undefined && !commit.startsWith(options.checksum)) {
    throw invalidParameter(`expected checksum to match ${options.checksum}, got ${commit}`);
  }
  await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1');
  if (!options.keepGitDir) await removeTree(join(directory, '.git'));
  return commit;
}

/** Leaves only a directory of the repository, which takes its place. @throws InvalidParameter */
export async function onlyDirectory(repository: string, directory: string): Promise<string> {
  if (directory === '' || directory === '/') return repository;
  using root = new Root(repository);
  const place = root.resolve(directory.startsWith('/') ? directory : `/${directory}`);
  if (root.lstat(place).type !== 'directory')
    throw invalidParameter(`${readable(directory)} is no directory of the repository`);
  const aside = `${repository}.only`;
  await rename(join(repository, place), aside);
  return aside;
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
