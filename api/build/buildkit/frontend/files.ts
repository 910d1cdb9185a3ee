import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BuildContext, Builds } from '@cleat/engine/build/service';
import { owned } from '@cleat/protocol/guard';
import type { Progress, Report } from '../control/progress.js';
import { upload } from '../session/services.js';
import type { Session } from '../session/sessions.js';
import { textsOf } from '../session/texts.js';
import { ClientTree, type TreeRequest } from '../session/tree.js';
import { ignorePatterns } from './dockerfile-text.js';

/** The services that bring files of a client here. */
export interface FileServices {
  readonly builds: Pick<
    Builds,
    'contextDirectory' | 'contextFromDockerfile' | 'contextFromRemote' | 'contextFromTar' | 'trees'
  >;
}

/** Bytes between two notes about a transfer. */
const noteEvery = 1024 * 1024;

/** The files of one build, from its client's session or from elsewhere. All that is got is given back at its end. */
export class BuildFiles implements AsyncDisposable {
  readonly #got: (() => unknown)[] = [];

  constructor(
    readonly services: FileServices,
    readonly session: Session,
    readonly progress: Progress,
    readonly signal: AbortSignal,
  ) {}

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const release of this.#got.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures);
  }

  keep<T extends AsyncDisposable>(resource: T): T {
    this.#got.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(release: () => void): void {
    this.#got.push(release);
  }

  /** A directory of the client, kept here for its next build if the client names it for good. */
  async local(request: TreeRequest, report: Report): Promise<BuildContext> {
    const { session, signal } = this;
    const context = this.keep(await this.#directoryFor(request));
    const tree = new ClientTree(session, request, signal);
    let current = 0;
    let noted = 0;
    tree.onBytes = async (length) => {
      current += length;
      if (current - noted < noteEvery) return;
      noted = current;
      await report({ id: `transferring ${request.name}:`, current });
    };
    await this.services.builds.trees.update(context.directory, tree, signal);
    await report({ id: `transferring ${request.name}:`, current, done: true });
    return context;
  }

  /** The texts of a few files of a directory of the client, without their directory: those that are there. */
  async texts(name: string, paths: readonly string[], report: Report): Promise<Map<string, string>> {
    const tree = new ClientTree(this.session, { name, follow: paths }, this.signal);
    const texts = await textsOf(tree, paths);
    const current = [...texts.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    await report({ id: `transferring ${name}:`, current, done: true });
    return texts;
  }

  /** Patterns of the `.dockerignore` of a directory of the client. */
  async ignored(name: string, report: Report): Promise<string[]> {
    const texts = await this.texts(name, ['.dockerignore'], report);
    return ignorePatterns(texts.get('.dockerignore') ?? '');
  }

  /** A URL; one of the client's own (`http://buildkit-session/…`) is what it was given on its standard input. */
  async remote(url: string): Promise<BuildContext> {
    const { builds } = this.services;
    if (!/^https?:\/\/buildkit-session(\/|$)/.test(url)) {
      return this.keep(await builds.contextFromRemote(url, { signal: this.signal }));
    }
    const sent = upload(this.session, new URL(url), { signal: this.signal });
    const content = owned(Readable.from(sent, { objectMode: false }));
    return this.keep(await builds.contextFromTar(content, { signal: this.signal }));
  }

  #directoryFor({ name }: TreeRequest): Promise<BuildContext> {
    const { sharedKey } = this.session;
    const { builds } = this.services;
    if (sharedKey === '') return builds.contextFromDockerfile(new Uint8Array(0));
    const key = createHash('sha256').update(JSON.stringify([sharedKey, name]));
    return builds.contextDirectory(key.digest('hex'));
  }
}
