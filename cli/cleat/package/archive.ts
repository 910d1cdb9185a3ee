import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Built } from './build.js';
import { tarEnd, tarFile, tarOf } from './tar.js';
import { addDirectory, Tree } from './tree.js';

/**
 * Writes the form that Docker's `plugin create` takes, `config.json` and `rootfs/`, as a tar: to be extracted for the
 * docker CLI, or sent as it is to `POST /plugins/create`.
 */
export async function writeArchive(path: string, { manifest, trees }: Built, mtime: number): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  try {
    await pipeline(Readable.from(archive(manifest, trees, mtime)), createWriteStream(temporary));
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Writes an OCI layout as a tar: for several platforms, too, and with the digest that a registry has. */
export async function writeLayoutArchive(path: string, directory: string, mtime: number): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  try {
    await pipeline(Readable.from(layoutTar(directory, mtime)), createWriteStream(temporary));
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The files of an OCI layout. */
export async function* layoutTar(directory: string, mtime: number): AsyncGenerator<Buffer> {
  const tree = new Tree();
  const isPart = (path: string) => /^(oci-layout|index\.json|blobs(\/|$))/.test(path);
  addDirectory(tree, directory, '', { wanted: isPart, plainModes: true });
  yield* tarOf([tree], mtime);
  yield tarEnd;
}

async function* archive(manifest: object, trees: Built['trees'], mtime: number): AsyncGenerator<Buffer> {
  yield tarFile('config.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), mtime);
  yield* tarOf(trees, mtime, 'rootfs');
  yield tarEnd;
}
