import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { owned } from '@cleat/protocol/guard';
import { digestOfFile } from './digest.js';

export interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** An OCI image layout: the directory in which a package is made, whether it stays or is only sent. */
export class Layout implements AsyncDisposable {
  readonly directory: string;
  #kept = false;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** @param directory to be made; undefined: a temporary one. Either is gone in the end, unless it is kept. */
  static async open(directory?: string): Promise<Layout> {
    const path = directory ?? (await mkdtemp(join(tmpdir(), 'cleat-package-')));
    await mkdir(join(path, 'blobs/sha256'), { recursive: true });
    await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    return new Layout(path);
  }

  path(digest: string): string {
    return join(this.directory, 'blobs', digest.replace(':', '/'));
  }

  temporary(): string {
    return join(this.directory, `.${randomUUID()}`);
  }

  /** Makes a finished file a blob. */
  async adopt(file: string): Promise<Blob> {
    const digest = await digestOfFile(file);
    const { size } = await stat(file);
    await rename(file, this.path(digest));
    return { digest, size };
  }

  async copy(file: string, digest: string): Promise<void> {
    await copyFile(file, this.path(digest));
  }

  async copyTo(digest: string, file: string): Promise<void> {
    await copyFile(this.path(digest), file);
  }

  /** A small blob. */
  async add(content: string | Buffer): Promise<Blob> {
    const bytes = Buffer.from(content);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(this.path(digest), bytes);
    return { digest, size: bytes.length };
  }

  async read(digest: string): Promise<string> {
    return await readFile(this.path(digest), 'utf8');
  }

  stream(digest: string): Readable {
    return owned(createReadStream(this.path(digest)));
  }

  /** Names its artifacts for other tools. */
  async writeIndex(manifests: readonly object[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
    await writeFile(join(this.directory, 'index.json'), JSON.stringify(index));
  }

  /** It is whole. */
  keep(): void {
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept) await rm(this.directory, { recursive: true, force: true });
  }
}
