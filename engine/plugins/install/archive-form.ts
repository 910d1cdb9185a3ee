import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { ByteSource } from '@cleat/linux/archive/byte-source';
import { decompress, detect } from '@cleat/linux/archive/compression';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { TarReader } from '@cleat/linux/archive/tar-reader';
import { type ByteName, textOf } from '@cleat/linux/rootfs/names';
import { invalidParameter } from '@cleat/protocol/errors';
import { flow } from '../../async/flow.js';

const maxName = 4096;
/** Entries that say nothing about the form; an archive of one of the forms begins with it. */
const maxOther = 1000;

/** An archive of a plugin that was opened as far as its form is known. */
export interface OpenedArchive {
  /**
   * `package`: `config.json` and `rootfs/`, as `docker plugin create` sends it. `layout`: an OCI image layout. What comes
   * first decides; the other form in it is refused.
   */
  readonly form: 'package' | 'layout';
  readonly reader: TarReader;
  /** The entry that decided, to be read yet. */
  readonly first: TarEntry;
  /** Takes what comes after the archive: its sender may wait until everything was taken. */
  drain(): Promise<void>;
}

/** @throws InvalidParameter for what is no such archive */
export async function openArchive(archive: Readable): Promise<OpenedArchive> {
  const { compression, source } = await detect(flow(archive));
  const bytes = new ByteSource(decompress(source, compression));
  const reader = new TarReader(bytes);
  let others = 0;
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const form = formOf(inside(entry.name));
    if (form) return { form, reader, first: entry, drain: () => bytes.drain() };
    if (++others > maxOther) break;
  }
  await bytes.drain();
  throw invalidParameter(
    'config not found: the archive is no plugin, which has config.json and rootfs/, and no OCI layout',
  );
}

/** The form of an archive, as the name of an entry tells it. */
export function formOf(name: string): OpenedArchive['form'] | undefined {
  const [top = ''] = name.split('/');
  if (name === 'config.json' || top === 'rootfs') return 'package';
  return name === 'oci-layout' || name === 'index.json' || name.startsWith('blobs/sha256/') ? 'layout' : undefined;
}

/** A name as it lies in the archive, without the dots and slashes that mean nothing. @throws InvalidParameter */
export function inside(name: ByteName): ByteName {
  if (name.length > maxName) throw invalidParameter(`the archive holds a name of more than ${maxName} bytes`);
  if (name.split('/').includes('..'))
    throw invalidParameter(`invalid archive: the name ${shown(name)} leads out of it`);
  return posix
    .normalize(`/${name}`)
    .replace(/(.)\/$/, '$1')
    .slice(1) as ByteName;
}

export const shown = (name: ByteName): string => JSON.stringify(textOf(name).slice(0, 200));

/** Tools would disagree about what such an archive is. */
export const bothForms = (): Error =>
  invalidParameter('the archive is both a plugin with config.json and rootfs/, and an OCI layout: it can be only one');
