import { type CleatError, invalidParameter, isClass } from '@cleat/protocol/errors';
import { ByteSource } from '../archive/byte-source.js';
import { decompress, detect } from '../archive/compression.js';
import { TarReader } from '../archive/tar-reader.js';
import { entryBytes, type Spare } from '../files/spare-space.js';
import { errnoOf } from '../syscall/errno.js';
import { Destination } from './destination.js';
import { type ExtractOptions, Extractor, localName } from './extract.js';
import { textOf } from './names.js';
import { classed, type Root } from './root.js';

/** Bytes of an archive that are looked at before its first entry is written. */
const lookAhead = 8 * 1024 * 1024;
/** Bytes behind an archive's end that are read, so that the next archive can follow. Writers fill their last block. */
const behindEnd = 1024 * 1024;

/**
 * Extracts a tar, compressed or not, into the directory `path` of a root; see {@link Extractor}. Of an archive of up to
 * 8 MiB everything is checked before anything is written; of a larger one as much, and then each entry before it is
 * written.
 * @param spare hears of what is going to be written, and may throw
 * @throws CleatError InvalidParameter (not a tar; a name that leads out; `path` is no directory), Conflict
 */
export async function tarIn(
  root: Root,
  path: string,
  source: AsyncIterable<Buffer>,
  options: ExtractOptions = {},
  spare?: Spare,
): Promise<void> {
  using destination = new Destination(root, path);
  const detected = await detect(source);
  const content = decompress(detected.source, detected.compression)[Symbol.asyncIterator]();
  try {
    const start = await firstChunks(content);
    await check(start);
    const reader = new TarReader(
      new ByteSource(continued(start.chunks, content), (chunk) => spare?.take(chunk.length)),
    );
    await extractAll(reader, destination, options, () => spare?.take(entryBytes));
    await readRest(content);
  } finally {
    await content.return?.();
  }
}

/** Reads what follows an archive to its end, unless that is far. */
async function readRest(content: AsyncIterator<Buffer>): Promise<void> {
  for (let length = 0; length < behindEnd; ) {
    const next = await content.next();
    if (next.done) return;
    length += next.value.length;
  }
}

/** @param onEntry hears of each entry before it is written, and may throw */
export async function extractAll(
  reader: TarReader,
  destination: Destination,
  options: ExtractOptions,
  onEntry: (size: number) => void = () => {},
): Promise<void> {
  const extractor = new Extractor(destination, options);
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    onEntry(entry.size);
    const name = localName(entry.name, options.layer === true);
    try {
      await extractor.add(name, entry, reader);
    } catch (error) {
      throw entryError(error, textOf(entry.name));
    }
  }
  extractor.finish();
}

/** An impossible request of an entry is the archive's fault, not that of the place where it goes. */
function entryError(error: unknown, name: string): CleatError {
  const known = classed(error, shortened(name));
  const errno = errnoOf(error) ?? '';
  const reason = isClass(known, 'NotFound') ? 'it refers to something that is not there' : impossible[errno];
  if (reason === undefined) return known;
  return invalidParameter(`invalid entry "${shortened(name)}": ${reason}`, { cause: error, details: known.details });
}

/** Errors of a file that cannot be made here. */
const impossible: Readonly<Record<string, string>> = {
  EPERM: 'operation not permitted',
  EINVAL: 'it has a name or an attribute that is not possible here',
  EMLINK: 'too many links',
};

function shortened(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200)}…`;
}

interface Start {
  chunks: Buffer[];
  isWhole: boolean;
}

async function firstChunks(content: AsyncIterator<Buffer>): Promise<Start> {
  const chunks: Buffer[] = [];
  for (let length = 0; length < lookAhead; ) {
    const next = await content.next();
    if (next.done) return { chunks, isWhole: true };
    chunks.push(next.value);
    length += next.value.length;
  }
  return { chunks, isWhole: false };
}

/** Goes through the headers. @throws InvalidParameter */
async function check({ chunks, isWhole }: Start): Promise<void> {
  class MoreToCome extends Error {}
  const reader = new TarReader(
    new ByteSource(
      (async function* () {
        yield* chunks;
        if (!isWhole) throw new MoreToCome();
      })(),
    ),
  );
  try {
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      localName(entry.name, false);
      if (entry.type === 'link') localName(entry.linkName, false);
    }
  } catch (error) {
    if (!(error instanceof MoreToCome)) throw error;
  }
}

async function* continued(chunks: Buffer[], content: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  // Each is free again once it was read.
  for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) yield chunk;
  for (let next = await content.next(); !next.done; next = await content.next()) yield next.value;
}
