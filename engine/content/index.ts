import { Blobs } from './blobs.js';
import { Leases } from './leases.js';
import type { Content } from './service.js';

export type { Content } from './service.js';

/** Opens the blobs in a directory, and empties what was under way there. */
export async function openContent(directory: string): Promise<Content> {
  const blobs = await Blobs.open(directory);
  const leases = new Leases();
  return {
    async store(source, lease, options) {
      const blob = await blobs.write(source, options);
      lease.keepBlob(blob.digest);
      return blob;
    },
    grow: (options) => blobs.grow(options),
    has: (digest) => blobs.has(digest),
    read: (digest) => blobs.read(digest),
    path: (digest) => blobs.path(digest),
    lease: () => leases.take(),
    isLeased: (digest) => leases.holdsBlob(digest),
    isLayerLeased: (diffId) => leases.holdsLayer(diffId),
    remove: (digest) => blobs.remove(digest),
    removeAllBut: (needed) => blobs.removeAllBut(needed),
  };
}
