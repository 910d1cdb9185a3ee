import { entryBody } from '@cleat/linux/archive/entry-body';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import type { TarReader } from '@cleat/linux/archive/tar-reader';
import { encodeHeader, paddingOf, tarEnd } from '@cleat/linux/archive/tar-writer';
import type { ByteName } from '@cleat/linux/rootfs/names';
import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { bothForms, inside, type OpenedArchive, shown } from './archive-form.js';

const manifestName = 'config.json';
const rootName = 'rootfs';
const maxManifest = 1024 * 1024;
const maxEntries = 1_000_000;

/**
 * The body of `docker plugin create`: a tar of `config.json` and the directory `rootfs`, in any order.
 * Anything else in it is passed over.
 */
export class PackageArchive {
  readonly #archive: OpenedArchive;
  #manifest: PluginManifest | undefined;
  #hasRoot = false;

  constructor(archive: OpenedArchive) {
    this.#archive = archive;
  }

  /** Once {@link layer} has ended. @throws InvalidParameter when there was none, or it is wrong */
  get manifest(): PluginManifest {
    if (!this.#manifest) throw invalidParameter('config not found: the archive has no config.json');
    return this.#manifest;
  }

  /**
   * The root file system as a layer: the names below `rootfs`. The manifest is checked as soon as it comes.
   * @throws InvalidParameter for what is no such archive, and names that lead out of it
   */
  async *layer(): AsyncGenerator<Buffer, void, void> {
    const { reader, first } = this.#archive;
    let entries = 0;
    for (let entry: TarEntry | undefined = first; entry; entry = await reader.next()) {
      if (++entries > maxEntries) throw invalidParameter(`the archive has more than ${maxEntries} entries`);
      const name = inside(entry.name);
      if (name === manifestName) await this.#read(reader, entry);
      if (name === 'oci-layout') throw bothForms();
      const below = withoutRoot(name);
      if (below === undefined) continue;
      if (below === '' && entry.type !== 'directory') throw invalidParameter('rootfs is not a directory');
      this.#hasRoot = true;
      yield* rooted(reader, entry, below);
    }
    yield tarEnd;
    await this.#archive.drain();
    if (!this.#hasRoot) throw invalidParameter('no rootfs found: the archive has no directory rootfs');
  }

  async #read(reader: TarReader, { type, size }: TarEntry): Promise<void> {
    if (type !== 'file') throw invalidParameter('config.json is not a file');
    if (this.#manifest) throw invalidParameter('the archive has two files config.json');
    if (size > maxManifest) throw invalidParameter(`config.json is larger than ${maxManifest} bytes`);
    const parts: Buffer[] = [];
    for await (const piece of entryBody(reader, size)) parts.push(piece);
    const data = Buffer.concat(parts);
    const text = data.toString('utf8');
    if (!Buffer.from(text).equals(data)) throw invalidParameter('config.json is not UTF-8');
    this.#manifest = readManifest(text, 'strict');
  }
}

async function* rooted(reader: TarReader, entry: TarEntry, name: ByteName): AsyncGenerator<Buffer, void, void> {
  const target = entry.type === 'link' ? withoutRoot(inside(entry.linkName)) : undefined;
  if (entry.type === 'link' && target === undefined) {
    throw invalidParameter(
      `invalid archive: ${shown(entry.name)} is a link to ${shown(entry.linkName)}, outside of rootfs`,
    );
  }
  const directory = entry.type === 'directory' ? '/' : '';
  const header = {
    ...entry,
    name: `${name || '.'}${directory}` as ByteName,
    ...(target !== undefined && { linkName: target }),
  };
  yield encodeHeader(header);
  if (entry.type !== 'file') return;
  yield* entryBody(reader, entry.size);
  yield paddingOf(entry.size);
}

/** Below `rootfs`; empty for that itself, undefined for what is elsewhere. */
function withoutRoot(name: ByteName): ByteName | undefined {
  if (name === rootName) return '' as ByteName;
  return name.startsWith(`${rootName}/`) ? (name.slice(rootName.length + 1) as ByteName) : undefined;
}
