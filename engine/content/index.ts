import { Blobs } from './blobs.js';
import { Leases } from './leases.js';
import type { BlobUser, Content } from './service.js';

export type { Content } from './service.js';

/** Opens the blobs in a directory, and empties what was under way there. */
export async function openContent(directory: string): Promise<Content> {
  const blobs = await Blobs.open(directory);
  const leases = new Leases();
  const users: BlobUser[] = [];
  const used = (): Set<string> => new Set(users.flatMap((user) => [...user.blobs()]));
  return {
    async store(source, lease, options) {
      const blob = await blobs.write(source, options);
      lease.keepBlob(blob.digest);
      return blob;
    },
    draft: () => blobs.draft(),
    grow: (options) => blobs.grow(options),
    has: (digest) => blobs.has(digest),
    read: (digest) => blobs.read(digest),
    path: (digest) => blobs.path(digest),
    addUser: (user) => void users.push(user),
    lease: () => leases.take(),
    isLayerLeased: (diffId) => leases.holdsLayer(diffId),
    async collect(digests) {
      for (const digest of new Set(digests)) {
        // Asked each time: removing takes a while, and others go on meanwhile.
        if (!leases.holdsBlob(digest) && !used().has(digest)) await blobs.remove(digest);
      }
    },
    collectAll: () => blobs.removeAllBut(used()),
  };
}
