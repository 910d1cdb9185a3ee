import { randomBytes } from 'node:crypto';
import { type Dirent, lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, notFound, systemError } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Volume, volumeKind } from '@cleat/protocol/kinds/volume';
import type { Logger } from '@cleat/protocol/log';
import { isMountPoint, mountOn, unmountFrom } from './mounts.js';
import { checkName, isName, readOptions } from './options.js';
import { VolumeFiles } from './volume.js';

/** What is on its way out; no volume's name begins with a dot. */
const doomedPrefix = '.removed-';

/** Docker's `local` driver: directories, or what `type`, `device` and `o` mount on them. */
export async function createDriver(root: string, log: Logger): Promise<Handlers<typeof volumeKind>> {
  mkdirSync(root, { recursive: true, mode: 0o701 });
  sweep(root, log);
  const inTurn = turns();

  /** @throws NotFound */
  const existing = (name: string): VolumeFiles => {
    const volume = isName(name) ? new VolumeFiles(root, name) : undefined;
    if (!volume?.createdAt()) throw notFound('no such volume');
    return volume;
  };
  const describe = (name: string, volume: VolumeFiles): Volume => ({
    Name: name,
    Mountpoint: volume.data,
    CreatedAt: volume.createdAt()?.toISOString(),
  });

  return {
    Create: ({ Name, Opts }) =>
      inTurn(Name, () => {
        checkName(Name);
        const options = readOptions(Opts ?? {});
        const volume = new VolumeFiles(root, Name);
        if (!volume.createdAt()) create(root, Name, volume, options);
        return { Volume: describe(Name, volume) };
      }),

    Remove: ({ Name }) =>
      inTurn(Name, async () => {
        const volume = existing(Name);
        if (volume.options()) await dropMount(volume);
        if (lstatSync(volume.data, { throwIfNoEntry: false })?.isSymbolicLink()) {
          throw systemError(`unable to remove a directory outside of the local volume root ${root}: ${volume.data}`);
        }
        const doomed = join(root, `${doomedPrefix}${randomBytes(8).toString('hex')}`);
        renameSync(volume.directory, doomed);
        await rm(doomed, { recursive: true, force: true });
      }),

    Mount: ({ Name, ID }, { signal }) =>
      inTurn(Name, async () => {
        const volume = existing(Name);
        const options = volume.options();
        if (options) {
          const mounted = isMountPoint(volume.data);
          // After a reboot nothing is mounted, and nobody of before holds anything.
          const holders = mounted ? volume.holders() : new Set<string>();
          if (!mounted) await mountOn(volume.data, options, signal);
          volume.writeHolders(holders.add(ID));
        }
        return { Mountpoint: volume.data };
      }),

    Unmount: ({ Name, ID }) =>
      inTurn(Name, async () => {
        const volume = existing(Name);
        if (!volume.options()) return;
        const holders = volume.holders();
        // Repeated, or after a Mount that failed: nothing is held, and nothing to do.
        if (!holders.delete(ID)) return;
        volume.writeHolders(holders);
        if (holders.size === 0) await unmountFrom(volume.data);
      }),

    Path: ({ Name }) => ({ Mountpoint: existing(Name).data }),

    Get: ({ Name }) => ({ Volume: describe(Name, existing(Name)) }),

    List: () => ({
      Volumes: readdirSync(root, { withFileTypes: true })
        .filter((entry: Dirent) => entry.isDirectory() && isName(entry.name))
        .map((entry) => describe(entry.name, new VolumeFiles(root, entry.name))),
    }),

    Capabilities: () => ({ Capabilities: { Scope: 'local' } }),
  };
}

/** Made aside and moved into place: there is never half a volume. */
function create(root: string, name: string, volume: VolumeFiles, options: ReturnType<typeof readOptions>): void {
  const aside = `${doomedPrefix}${name}-${randomBytes(4).toString('hex')}`;
  const draft = new VolumeFiles(root, aside);
  mkdirSync(draft.directory, { mode: 0o701 });
  mkdirSync(draft.data, { mode: 0o755 });
  if (options) draft.writeOptions(options);
  renameSync(draft.directory, volume.directory);
}

async function dropMount(volume: VolumeFiles): Promise<void> {
  if (!isMountPoint(volume.data)) return;
  if (volume.holders().size > 0) throw systemError('volume has active mounts');
  await unmountFrom(volume.data);
  // Never go on to delete what is on somebody's server.
  if (isMountPoint(volume.data)) throw systemError(`${volume.data} is still mounted`);
}

/** Finishes removals that a crash cut short; in the background, they may be large. */
function sweep(root: string, log: Logger): void {
  for (const name of readdirSync(root)) {
    if (!name.startsWith(doomedPrefix)) continue;
    rm(join(root, name), { recursive: true, force: true }).catch((error: unknown) =>
      log.warn('cannot remove what is left of a volume', { path: join(root, name), error: messageOf(error) }),
    );
  }
}

/** Calls for one volume run one after the other; a dead server behind one volume holds up no other. */
function turns() {
  const tails = new Map<string, Promise<unknown>>();
  return <T>(name: string, work: () => T | Promise<T>): Promise<T> => {
    const before = tails.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    const tail = mine.then(
      () => {},
      () => {}, // The caller hears of it; the next in turn must not.
    );
    tails.set(name, tail);
    void tail.then(() => {
      if (tails.get(name) === tail) tails.delete(name);
    });
    return mine;
  };
}
