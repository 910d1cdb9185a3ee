import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '@cleat/linux/process/run';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { BuildLine, BuildRequest, builderKind } from '@cleat/protocol/kinds/builder';
import type { CallContext, Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { Buildah, type BuildahSettings } from './buildah.js';
import { EngineClient } from './engine.js';
import { buildFlags } from './flags.js';
import { Output } from './output.js';

/** Lines that wait for a reader; then buildah waits, too, as its pipes are full. */
const maxWaiting = 256;
const placePrefix = 'build-';
/** How long clearing up may take, in ms. */
const patienceMs = 10 * 60_000;

/** Builds by Debian's buildah, and loads what it made into the engine. */
export class BuildahBuilder implements Handlers<typeof builderKind> {
  readonly #buildah: Buildah;
  readonly #stateDir: string;
  readonly #log: Logger;
  readonly #isRemapped: boolean;
  /** Images of the engine that buildah has, by name. */
  readonly #handed = new Map<string, string>();
  #ready: Promise<void> | undefined;

  constructor(settings: BuildahSettings, log: Logger) {
    this.#buildah = new Buildah(settings);
    this.#stateDir = settings.stateDir;
    this.#log = log;
    this.#isRemapped = settings.isRemapped === true;
  }

  readonly Build = (order: BuildRequest, { signal }: CallContext): AsyncIterable<Uint8Array> => {
    if (this.#isRemapped) {
      // buildah 1.28 fails at the second RUN when it is told to use a user namespace; without one it would be root here.
      throw invalidParameter(
        "buildah runs RUN with the users of this host, and this engine's --userns-remap asks for others: use the builder dockerfile",
      );
    }
    const lines: Uint8Array[] = [];
    let wake = (): void => {};
    let isOver = false;
    const stop = new AbortController();
    const any = AbortSignal.any([signal, stop.signal]);
    const tell = (line: BuildLine): void => {
      if (any.aborted) return;
      lines.push(Buffer.from(`${JSON.stringify(line)}\n`));
      wake();
    };
    let room: Promise<void> | undefined;
    let makeRoom = (): void => {};
    any.addEventListener('abort', () => makeRoom(), { once: true });
    const roomForMore = async (): Promise<void> => {
      if (lines.length < maxWaiting || any.aborted) return;
      room ??= new Promise((resolve) => {
        makeRoom = resolve;
      });
      await room;
    };
    const ended = this.#build(order, any, tell, roomForMore).finally(() => {
      isOver = true;
      wake();
    });
    ended.catch(() => {}); // Told below.
    return (async function* () {
      try {
        for (;;) {
          const all = Buffer.concat(lines.splice(0));
          room = undefined;
          makeRoom();
          if (all.length > 0) yield all;
          else if (isOver) return await ended;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        stop.abort();
      }
    })();
  };

  readonly DiskUsage = async () => {
    if (!existsSync(this.#buildah.storage)) return { Records: [] };
    const { stdout } = await run('du', ['-sxB1', this.#buildah.storage], { deadlineMs: 25_000 });
    return {
      Records: [
        { ID: 'buildah', Type: 'regular', Description: 'layers of buildah', Size: Number.parseInt(stdout, 10) || 0 },
      ],
    };
  };

  readonly Prune = async ({ All, Filters = {} }: { All?: boolean; Filters?: Record<string, string[]> }) => {
    const strange = Object.keys(Filters)[0];
    if (strange !== undefined)
      throw invalidParameter(`the cache of buildah cannot be pruned by the filter '${strange}'`);
    if (!existsSync(this.#buildah.storage)) return {};
    await this.#prepared();
    const before = await this.DiskUsage();
    const removed: string[] = [];
    const onLine = (stream: 1 | 2, line: string): void => {
      if (stream === 1 && /^[0-9a-f]{64}$/.test(line)) removed.push(line);
    };
    this.#handed.clear();
    await this.#buildah.run(['rmi', ...(All ? ['--all', '--force'] : ['--prune'])], {
      signal: AbortSignal.timeout(patienceMs),
      onLine,
    });
    const after = await this.DiskUsage();
    const freed = (before.Records[0]?.Size ?? 0) - (after.Records[0]?.Size ?? 0);
    return { Removed: removed, SpaceReclaimed: removed.length > 0 ? Math.max(freed, 0) : 0 };
  };

  async #build(
    order: BuildRequest,
    signal: AbortSignal,
    tell: (line: BuildLine) => void,
    roomForMore: () => Promise<void>,
  ): Promise<void> {
    const place = join(this.#stateDir, `${placePrefix}${randomBytes(6).toString('hex')}`);
    const output = new Output(tell);
    try {
      await this.#prepared();
      await mkdir(place, { mode: 0o700 });
      const at = (name: string) => join(place, name);
      const flags = buildFlags(order, { idFile: at('id'), authFile: at('auth.json') });
      const auths = Object.entries(order.RegistryAuth ?? {}).map(([host, one]) => [host, authOf(one)]);
      await writeFile(at('auth.json'), JSON.stringify({ auths: Object.fromEntries(auths) }), { mode: 0o600 });
      const engine = new EngineClient(order.Engine, signal);
      if (!order.Pull) await this.#handOver(order, engine, at('base.tar'), signal);
      const onLine = async (stream: 1 | 2, line: string) => {
        output.line(stream, line);
        await roomForMore();
      };
      const code = await this.#buildah.run(['build', ...flags], { signal, onLine });
      if (code !== 0) return output.fail(`buildah ended with exit status ${code}`);
      const id = (await readFile(at('id'), 'utf8')).trim().replace('sha256:', '');
      const pushed = await this.#buildah.run(
        ['push', '--quiet', '--disable-compression', id, `oci-archive:${at('image.tar')}`],
        { signal, onLine },
      );
      if (pushed !== 0) return output.fail('buildah could not write the image');
      output.succeed(await engine.load(at('image.tar')));
    } catch (error) {
      if (signal.aborted) return;
      this.#log.debug('a build failed', { error: messageOf(error) });
      output.fail(messageOf(error));
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  }

  /** Base images that the engine has and buildah has not: a name is first what the engine knows by it. */
  async #handOver(order: BuildRequest, engine: EngineClient, file: string, signal: AbortSignal): Promise<void> {
    const text = await readFile(order.Dockerfile, 'utf8');
    const names = [...text.matchAll(/^\s*FROM\s+(?:--\S+\s+)*([^\s$]+)(?=\s|$)/gim)].map(([, name = '']) => name);
    for (const name of new Set(names)) {
      const id = name === 'scratch' ? undefined : await engine.imageCalled(name);
      if (id === undefined || this.#handed.get(name) === id) continue;
      await engine.save(name, file);
      const code = await this.#buildah.run(['pull', '--quiet', `docker-archive:${file}`], { signal });
      if (code === 0) this.#handed.set(name, id);
      await rm(file);
    }
  }

  /** Once: what an engine before this one left is removed. */
  async #prepared(): Promise<void> {
    this.#ready ??= this.#prepare();
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#stateDir, { recursive: true, mode: 0o700 });
    // Credentials are among it.
    for (const name of await readdir(this.#stateDir)) {
      if (name.startsWith(placePrefix)) await rm(join(this.#stateDir, name), { recursive: true, force: true });
    }
    await writeFile(
      this.#buildah.registries,
      'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n',
    );
    await this.#buildah.run(['rm', '--all'], { signal: AbortSignal.timeout(patienceMs) });
  }
}

function authOf(credentials: Readonly<Record<string, string>>): Record<string, string> {
  const { username = '', password = '', auth, identitytoken } = credentials;
  return {
    auth: auth ?? Buffer.from(`${username}:${password}`).toString('base64'),
    ...(identitytoken && { identitytoken }),
  };
}
