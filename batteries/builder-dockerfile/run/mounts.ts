import { chmodSync, chownSync, closeSync, constants, fstatSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { bind } from '@cleat/linux/mount/mount';
import { Root } from '@cleat/linux/rootfs/root';
import { invalidParameter, isClass } from '@cleat/protocol/errors';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Tree, Workspace } from '../build/workspace.js';
import { fault } from '../language/fault.js';
import type { RunMount } from '../language/run-mounts.js';
import { agentSocket } from './agent.js';
import type { CacheMounts } from './cache-mounts.js';

/** As the Engine API has it. */
export type ApiMount =
  | {
      readonly Type: 'bind';
      readonly Source: string;
      readonly Target: string;
      readonly ReadOnly: boolean;
      readonly BindOptions?: object;
    }
  | {
      readonly Type: 'tmpfs';
      readonly Target: string;
      readonly TmpfsOptions?: { readonly SizeBytes: number };
    };

export interface Mounted extends AsyncDisposable {
  readonly mounts: readonly ApiMount[];
  readonly env: readonly string[];
  /** Variables that are secrets. */
  readonly secrets: readonly string[];
}

/** Everything that mounts are made of. */
export interface MountSources {
  readonly workspace: Workspace;
  readonly caches: CacheMounts;
  readonly request: Pick<BuildRequest, 'Secrets' | 'SSH'>;
  /** Where relative targets begin. */
  readonly workdir: string;
  /** The files of a mount's `from`; undefined for none. Without `from`, the context. */
  readonly treeOf: (from: string | undefined) => Promise<Tree | undefined>;
  readonly signal: AbortSignal;
}

/** BuildKit's: caches of RUN are of builds that say the same here, and of no others. */
export const cacheSpaceArgument = 'BUILDKIT_CACHE_MOUNT_NS';

/** A mount with the name of its space: also the key of its step, which may copy what is in its cache. */
export function inSpace(mount: RunMount, space: string | undefined, workdir: string): RunMount {
  if (!space || mount.type !== 'cache') return mount;
  return { ...mount, id: `${space}/${mount.id ?? posix.resolve(workdir, mount.target ?? '')}` };
}

const maxSecret = 1024 * 1024;

/** A mount's target; of secrets and agents where it says none. */
export function targetOf(mount: RunMount, workdir: string, index: number): string | undefined {
  if (mount.type === 'ssh' && !mount.target) return `/run/buildkit/ssh_agent.${index}`;
  if (mount.type === 'secret' && !mount.target)
    return mount.env === undefined ? `/run/secrets/${secretId(mount)}` : undefined;
  const target = posix.resolve(workdir, mount.target ?? '');
  if (target === '/') throw fault(`invalid mount target ${JSON.stringify(target)}`);
  return target;
}

function secretId(mount: RunMount): string {
  return mount.id ?? mount.source ?? posix.basename(mount.target ?? '');
}

/** Makes everything ready that a RUN has mounted. @throws DockerfileFault, InvalidParameter */
export async function mountAll(mounts: readonly RunMount[], sources: MountSources): Promise<Mounted> {
  const made: (AsyncDisposable | Disposable)[] = [];
  const dispose = async () => {
    for (const one of made.splice(0).reverse()) {
      if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]();
      else one[Symbol.dispose]();
    }
  };
  const all: ApiMount[] = [];
  const env: string[] = [];
  const secrets: string[] = [];
  try {
    for (const [index, mount] of mounts.entries()) {
      const target = targetOf(mount, sources.workdir, index);
      if (mount.type === 'secret') await secret(mount, target, sources, all, secrets);
      else if (target === undefined) continue;
      else if (mount.type === 'ssh') await ssh(mount, target, sources, all, env, made);
      else if (mount.type === 'tmpfs') {
        const size = mount.size === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.size } };
        all.push({ Type: 'tmpfs', Target: target, ...size });
      } else if (mount.type === 'cache') all.push(await cache(mount, target, sources, made));
      else all.push(await bound(mount, target, sources));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { mounts: all.map(plainly), env, secrets, [Symbol.asyncDispose]: dispose };
}

/** Nothing is mounted below these; and an old crun cannot make a file recursively read-only. */
function plainly(mount: ApiMount): ApiMount {
  return mount.Type === 'bind' && mount.ReadOnly ? { ...mount, BindOptions: { ReadOnlyNonRecursive: true } } : mount;
}

async function secret(
  mount: RunMount,
  target: string | undefined,
  { request, workspace }: MountSources,
  all: ApiMount[],
  env: string[],
): Promise<void> {
  const id = secretId(mount);
  const given = request.Secrets?.find((one) => one.ID === id);
  if (!given) {
    if (mount.required) throw fault(`secret ${id}: not found`);
    return;
  }
  if (statSync(given.File).size > maxSecret) throw invalidParameter(`secret ${id} is larger than ${maxSecret} bytes`);
  const content = await readFile(given.File);
  if (mount.env !== undefined) env.push(`${mount.env || id}=${content.toString()}`);
  if (target === undefined) return;
  const file = join(workspace.hidden(), 'secret');
  writeFileSync(file, content, { mode: 0o600 });
  const { uid, gid } = workspace.view.owner({ uid: mount.uid ?? 0, gid: mount.gid ?? 0 });
  chownSync(file, uid, gid);
  chmodSync(file, mount.mode ?? 0o400);
  all.push({ Type: 'bind', Source: file, Target: target, ReadOnly: true });
}

async function ssh(
  mount: RunMount,
  target: string,
  { request, workspace }: MountSources,
  all: ApiMount[],
  env: string[],
  made: (AsyncDisposable | Disposable)[],
): Promise<void> {
  const id = mount.id ?? 'default';
  const given = request.SSH?.find((one) => one.ID === id);
  if (!given) {
    if (mount.required) throw fault(`unset ssh forward key ${id}`);
    return;
  }
  const socket = workspace.path();
  const owner = { uid: mount.uid ?? 0, gid: mount.gid ?? 0, mode: mount.mode ?? 0o600 };
  made.push(await agentSocket(given.Socket, socket, owner));
  all.push({ Type: 'bind', Source: workspace.view.seen(socket), Target: target, ReadOnly: true });
  env.push(`SSH_AUTH_SOCK=${target}`);
}

async function cache(
  mount: RunMount,
  target: string,
  { caches, treeOf, workspace, signal }: MountSources,
  made: (AsyncDisposable | Disposable)[],
): Promise<ApiMount> {
  const tree = mount.from ? await treeOf(mount.from) : undefined;
  const from = tree && placeIn(tree, mount.source ?? '/');
  const taken = await caches.take({
    name: mount.id ?? posix.normalize(target),
    sharing: mount.sharing,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
    mode: mount.mode ?? 0o755,
    ...(from !== undefined && { from }),
    signal,
  });
  made.push(taken);
  let source = workspace.view.seen(taken.path);
  if (!mount.from && mount.source && posix.join('/', mount.source) !== '/') {
    // A name that builds wrote there may lead anywhere: a descriptor cannot.
    using root = new Root(source);
    source = workspace.fresh();
    const directory = root.open(mount.source, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      bind(`/proc/self/fd/${directory}`, source);
    } finally {
      closeSync(directory);
    }
  }
  return { Type: 'bind', Source: source, Target: target, ReadOnly: mount.readOnly };
}

async function bound(mount: RunMount, target: string, { workspace, treeOf }: MountSources): Promise<ApiMount> {
  const tree = await treeOf(mount.from);
  if (!tree)
    return { Type: 'bind', Source: workspace.view.seen(workspace.fresh()), Target: target, ReadOnly: mount.readOnly };
  let source: string;
  try {
    source = placeIn(tree, mount.source ?? '/', tree.shown());
  } catch (error) {
    if (!isClass(error, 'NotFound')) throw error;
    throw fault(`failed to compute cache key: ${JSON.stringify(posix.join('/', mount.source ?? '/'))}: not found`);
  }
  if (mount.readOnly) return { Type: 'bind', Source: source, Target: target, ReadOnly: true };
  if (statSync(source).isDirectory()) {
    return { Type: 'bind', Source: workspace.scratch(source), Target: target, ReadOnly: false };
  }
  // It may be larger than the disk, where it has holes, so it is not copied.
  const around = workspace.scratch(posix.dirname(source));
  return { Type: 'bind', Source: join(around, posix.basename(source)), Target: target, ReadOnly: false };
}

/** Where a path of a tree lies on the host: nobody changes the tree, and no symlink is left in it. @throws NotFound */
function placeIn(tree: Tree, path: string, top = tree.path): string {
  const place = tree.root.resolve(posix.join('/', path));
  const fd = tree.root.open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isDirectory() && !stats.isFile())
      throw invalidParameter(`cannot mount ${path}: it is no file and no directory`);
  } finally {
    closeSync(fd);
  }
  return join(top, place);
}
