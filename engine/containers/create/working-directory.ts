import { posix } from 'node:path';
import { normalize, Root } from '@cleat/linux/rootfs/root';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { directoryOf } from '../../oci/own-files.js';
import { remapOf, rootOwner } from '../../oci/remap.js';
import type { Context } from '../context.js';
import { mountFiles } from '../files/root-access.js';
import type { Container } from '../state/container.js';

/** As the kernel: more links than that are a circle. */
const maxLinks = 40;

/**
 * The working directory is made when the container is, as in Docker: through the image's links, also those that lead
 * nowhere yet, and never out of it. Nothing runs in it yet.
 * @throws System in Docker's words when something else is there
 */
export async function makeWorkingDirectory(
  context: Pick<Context, 'config' | 'images' | 'log' | 'paths'>,
  container: Pick<Container, 'id' | 'record'>,
): Promise<void> {
  const { WorkingDir: requested } = container.record.config;
  if (!requested) return;
  const path = posix.normalize(requested).replace(/\/+$/, '');
  // Most images have it: then nothing need be mounted to find out.
  if (path === '' || directoryOf(context.images.layerPaths(container.record.imageId), path.slice(1))) return;
  const files = await mountFiles(context, container);
  try {
    using root = new Root(files.directory);
    try {
      root.makeDirectory(resolved(root, path), rootOwner(remapOf(context.config, container.record.hostConfig)));
    } catch (cause) {
      if (isElse(root, path)) throw systemError(`Cannot mkdir: ${requested} is not a directory`, { cause });
      throw systemError(`Cannot mkdir: ${messageOf(cause)}`, { cause });
    }
  } finally {
    await files.release();
  }
}

function isElse(root: Root, path: string): boolean {
  try {
    return root.stat(path).type !== 'directory';
  } catch {
    // It is not there, which is another reason.
    return false;
  }
}

/** Where a path leads inside the root after every link, whatever of it is there. */
function resolved(root: Root, path: string, links = 0): string {
  if (links > maxLinks) throw systemError(`${path}: too many levels of symbolic links`);
  let walked = '';
  for (const name of path.split('/').filter(Boolean)) {
    const plain = `${walked}/${name}`;
    const target = normalize(root.resolve(plain));
    walked = target === plain ? plain : resolved(root, target, links + 1);
  }
  return walked;
}
