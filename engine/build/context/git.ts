import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskGuard } from '@cleat/linux/files/disk-guard';
import { git as gitIn } from '@cleat/linux/process/git';
import type { RunResult } from '@cleat/linux/process/run';
import { invalidParameter, isClass, systemError } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import type { ContextOptions } from '../service.js';
import { type ContextDirectory, type Contexts, leadsOut } from './contexts.js';

/** A repository, and what of it is the context. */
export interface GitSource {
  readonly remote: string;
  /** Branch, tag, commit or `refs/…`; empty: moby's default, `master`, or else what the repository has as its own. */
  readonly ref: string;
  readonly directory: string;
}

/** Whether moby takes it for a repository (`daemon/builder/remotecontext/urlutil`). */
export function isGitUrl(text: string): boolean {
  if (/^https?:\/\//.test(text)) return /\.git(?:#.+)?$/.test(text);
  return /^(?:git:\/\/|github\.com\/|git@|ssh:\/\/)/.test(text);
}

/**
 * `URL#REF:DIRECTORY`. What looks like an option of git's is refused (CVE-2019-13139).
 * @throws InvalidParameter
 */
export function parseGitUrl(text: string): GitSource {
  const hash = text.indexOf('#');
  const base = hash < 0 ? text : text.slice(0, hash);
  const fragment = hash < 0 ? '' : text.slice(hash + 1);
  const remote = /^(?:git@|(?:git|ssh|https?):\/\/)/.test(base) ? base : `https://${base}`;
  const colon = fragment.indexOf(':');
  const ref = colon < 0 ? fragment : fragment.slice(0, colon);
  const directory = colon < 0 ? '' : fragment.slice(colon + 1);
  if (ref.startsWith('-')) throw invalidParameter(`invalid refspec: ${ref}`);
  if (leadsOut(directory)) {
    throw systemError(`error setting git context, ${JSON.stringify(directory)} not within git root`);
  }
  // ssh, too, has options: git hands it the host.
  const host = remote.startsWith('git@') ? remote.slice('git@'.length) : remote.replace(/^\w+:\/\/(?:[^/@]*@)?/, '');
  if (/[\0-\x20\x7f]/.test(text) || host === '' || host.startsWith('-')) {
    throw invalidParameter(`invalid git URL: ${JSON.stringify(text)}`);
  }
  return { remote, ref, directory };
}

/** A repository as the context: its files, `.git` among them, as on a stock engine. */
export async function fromGit(contexts: Contexts, url: string, options: ContextOptions): Promise<ContextDirectory> {
  const source = parseGitUrl(url);
  const work = await contexts.make();
  try {
    const checkout = join(work.directory, 'git');
    await mkdir(checkout);
    await cloned(source, checkout, options);
    // Through a helper, within the repository only: its links may lead anywhere.
    const path = source.directory === '' ? '/' : `/${source.directory}/`;
    const { facts, stream } = await contexts.helper
      .tarOut({ root: checkout, path, entryName: '.', bare: true }, { signal: options.signal })
      .catch((error: unknown) => {
        const why = isClass(error, 'NotFound') ? 'no such directory' : 'not a directory';
        const quoted = JSON.stringify(source.directory);
        throw systemError(`error setting git context, ${quoted} not within git root: ${why}`, { cause: error });
      });
    if (facts.type !== 'directory') {
      stream.destroy();
      throw systemError(`error setting git context, not a directory: ${source.directory}`);
    }
    return await contexts.fromTar(stream, options);
  } finally {
    await work[Symbol.asyncDispose]();
  }
}

async function cloned({ remote, ref }: GitSource, directory: string, options: ContextOptions): Promise<void> {
  using guard = new DiskGuard(directory, options.signal);
  const git = (...args: string[]) => guard.over(gitIn(directory, args, guard));
  const must = async (what: string, work: Promise<RunResult>): Promise<void> => {
    const { code, stdout, stderr } = await work;
    if (code !== 0) throw systemError(`${what}: ${readable(`${stdout}${stderr}`.trim(), 2000)}: exit status ${code}`);
  };
  await must('failed to init repo', git('init', '--quiet'));
  await must('failed add origin repo', git('remote', 'add', 'origin', '--', remote));
  const fetched = async (wanted: string): Promise<RunResult> => {
    // Servers of plain files know no depth.
    const shallow = await git('fetch', '--quiet', '--depth', '1', 'origin', '--', wanted);
    return shallow.code === 0 ? shallow : await git('fetch', '--quiet', 'origin', '--', wanted);
  };
  const first = await fetched(ref || 'master');
  if (first.code !== 0 && ref === '') await must('error fetching', fetched('HEAD'));
  else await must('error fetching', Promise.resolve(first));
  const byName = ref === '' ? undefined : await git('checkout', '--quiet', ref, '--');
  if (byName?.code !== 0) await must(`error checking out ${ref}`, git('checkout', '--quiet', 'FETCH_HEAD'));
  await must(
    'error initializing submodules',
    git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1'),
  );
}
