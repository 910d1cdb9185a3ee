import { mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mountTmpfs, unmountAll } from '@cleat/linux/mount/mount';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { conflict, defineExtension, implement, invalidParameter, unavailable, volumeKind } from '@cleat/sdk';
import { checkVolumeName, VolumeDirectories } from '@cleat/sdk/volumes';
import { readSize, sizeText } from './size.js';

/** The least that memory is given in. */
const pageBytes = 4096;

/**
 * Volumes in memory, each with a limit of its own and all with one together. A volume is a directory with two entries:
 * `size`, its limit in bytes, and `data`, where its tmpfs is mounted from its first use until it is removed.
 */
export default defineExtension({
  options: {
    total: { default: '1g', help: 'what all volumes may have together' },
    size: { default: '64m', help: 'what a volume may have that says nothing else' },
    root: { default: '/var/lib/quota-tmpfs', help: 'where the volumes are mounted' },
  },
  start({ options, log, name }) {
    const total = readSize('total', options.total);
    const usual = readSize('size', options.size);
    const volumes = new VolumeDirectories(options.root);
    volumes.sweep(discard, log);

    const limitOf = (volume: string) => {
      const file = join(volumes.find(volume), 'size');
      const limit = Number(readFileSync(file, 'utf8'));
      if (limit > 0) return limit;
      throw unavailable(`${file} is damaged: write the size of the volume into it, in bytes`);
    };
    const dataOf = (volume: string) => join(volumes.find(volume), 'data');
    /** Memory that no volume has been promised yet; negative if `total` was larger once. */
    const free = () => total - volumes.names().reduce((sum, volume) => sum + limitOf(volume), 0);
    const described = (volume: string, left = free()) => {
      const own = { UsedBytes: usedBytes(dataOf(volume)), LimitBytes: limitOf(volume) };
      return {
        Name: volume,
        Mountpoint: dataOf(volume),
        CreatedAt: volumes.createdAt(volume),
        Status: { ...own, TotalBytes: total, FreeBytes: Math.max(0, left) },
      };
    };

    // No call waits for anything, so none comes in between another's look at the quota and its volume.
    const driver = implement(volumeKind, {
      async Create({ Name, Opts }) {
        // An existing volume stays as it is.
        if (volumes.has(Name)) return { Volume: described(Name) };
        checkVolumeName(Name);
        const { size, ...unknown } = Opts ?? {};
        const [other] = Object.keys(unknown);
        if (other !== undefined) throw invalidParameter(`${name} has no option ${other}; it has size`);
        const limit = Math.ceil((size === undefined ? usual : readSize('size', size)) / pageBytes) * pageBytes;
        if (limit > free()) throw conflict(noRoom(Name, limit, free(), total));
        await volumes.make(Name, (directory) => {
          mkdirSync(join(directory, 'data'), { mode: 0o700 });
          writeFileSync(join(directory, 'size'), String(limit), { flush: true });
        });
        return { Volume: described(Name) };
      },
      Remove: async ({ Name }) => discard(await volumes.putAside(Name)),
      Mount({ Name }) {
        const target = dataOf(Name);
        // A file takes memory even when it is empty, so that there may be one for each page.
        const limits = { size: limitOf(Name), inodes: limitOf(Name) / pageBytes };
        if (!isMountPoint(target)) mountTmpfs(target, { ...limits, mode: '1777', source: name });
        return { Mountpoint: target };
      },
      // Its contents are the mount, which is therefore kept while containers come and go.
      Unmount: () => {},
      Path: ({ Name }) => ({ Mountpoint: dataOf(Name) }),
      Get: ({ Name }) => ({ Volume: described(Name) }),
      List() {
        const left = free();
        return { Volumes: volumes.names().map((volume) => described(volume, left)) };
      },
      Capabilities: () => ({ Capabilities: { Scope: 'local', IdempotentCreate: true } }),
    });
    return { implementations: [driver] };
  },
});

function usedBytes(data: string): number {
  if (!isMountPoint(data)) return 0;
  const { bsize, blocks, bfree } = statfsSync(data);
  return (blocks - bfree) * bsize;
}

async function discard(directory: string): Promise<void> {
  unmountAll(directory);
  await rm(directory, { recursive: true, force: true });
}

function noRoom(name: string, limit: number, free: number, total: number): string {
  const left = free > 0 ? `${sizeText(free)} of ${sizeText(total)} are left` : `nothing of ${sizeText(total)} is left`;
  const less = free > 0 ? 'ask for less, ' : '';
  return `volume ${name} of ${sizeText(limit)} does not fit, ${left}: ${less}remove a volume, or start the plugin with a larger --total`;
}
