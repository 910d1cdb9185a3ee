import { posix } from 'node:path';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { isClass } from '@cleat/protocol/errors';
import { accountFiles, accountsAt, checkAccountFacts, isWithin, refusedAccounts } from '../../oci/accounts.js';
import type { Context } from '../context.js';
import { rootOf } from '../root-of.js';
import type { ContainerRecord, MountRecord } from '../state/record.js';
import { type BindSource, pathOf } from './mounts.js';

/**
 * Where something is mounted over them, the runtime reads that: before a start, helpers look into what will be mounted.
 * @throws InvalidParameter
 */
export async function checkMountedAccounts(
  context: Pick<Context, 'helper'>,
  record: ContainerRecord,
  rootfs: string,
  sources: ReadonlyMap<string, BindSource>,
): Promise<void> {
  for (const { path, real, mount } of mountedOver(record, rootfs)) {
    const source = pathOf(sources.get(mount.destination), mount);
    await checkInMount(context, path, source, posix.relative(mount.destination, real));
  }
}

/** The same of one that runs, whose files are seen as it sees them. @throws InvalidParameter */
export async function checkAccountsInside(
  context: Pick<Context, 'helper'>,
  record: ContainerRecord,
  rootfs: string,
): Promise<void> {
  for (const { path } of mountedOver(record, rootfs)) {
    await unlessMissing(async () => {
      const root = rootOf(record);
      checkAccountFacts(path, await context.helper.call('statInRoot', { root, path, follow: true }));
    });
  }
}

function mountedOver(record: ContainerRecord, rootfs: string): { path: string; real: string; mount: MountRecord }[] {
  const mounts = record.mounts.filter(({ type }) => type !== 'tmpfs');
  if (mounts.length === 0) return [];
  return accountFiles.flatMap((path) => {
    const real = accountsAt(rootfs, path, 'unable to find user 0')?.real ?? path;
    const [mount] = mounts
      .filter(({ destination }) => isWithin(destination, real))
      .sort((a, b) => b.destination.length - a.destination.length);
    return mount ? [{ path, real, mount }] : [];
  });
}

/** No step may be a link: in the container it could lead anywhere. */
async function checkInMount(
  context: Pick<Context, 'helper'>,
  path: string,
  source: string,
  inside: string,
): Promise<void> {
  const steps = inside.split('/').filter(Boolean);
  await unlessMissing(async () => {
    let facts = await context.helper.call('stat', { path: source, follow: true });
    for (let at = 1; at <= steps.length; at++) {
      facts = await context.helper.call('statInRoot', { root: source, path: `/${steps.slice(0, at).join('/')}` });
      if (facts.type === 'symlink') throw refusedAccounts(path, 'what is mounted there has a link in its place');
    }
    checkAccountFacts(path, facts);
  });
}

async function unlessMissing(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    if (!isClass(error, 'NotFound') && errnoOf(error) !== 'ENOTDIR') throw error;
  }
}
