import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { Containers } from '../containers/service.js';
import type { ImageHost, Images } from '../images/service.js';

/** The rooms of the engine that a builder sees otherwise than everybody else. */
export interface BuildersView {
  readonly containers: Containers;
  readonly images: Images;
}

/** Serves the engine's API with that view on a UNIX socket. The wiring gives it: rooms know no API. */
export type ServeBuilder = (path: string, view: BuildersView) => Promise<{ close(): Promise<void> }>;

interface DoorsDeps {
  readonly directory: string;
  readonly containers: Containers;
  readonly images: Images & ImageHost;
  readonly serve: ServeBuilder;
}

/** A socket for each builder, opened when the builder is first asked something; for root only. */
export class Doors {
  readonly #deps: DoorsDeps;
  readonly #open = new Map<string, Promise<{ path: string; close(): Promise<void> }>>();

  constructor(deps: DoorsDeps) {
    this.#deps = deps;
  }

  /** @returns the path of the builder's socket */
  async of(builder: string): Promise<string> {
    let door = this.#open.get(builder);
    if (!door) {
      door = this.#serve(builder);
      this.#open.set(builder, door);
      door.catch(() => this.#open.delete(builder));
    }
    return (await door).path;
  }

  /**
   * The directory stays: a builder in a sandbox has it mounted, and outlives this engine. Sockets of an engine that was
   * killed go.
   */
  start(): void {
    const { directory } = this.#deps;
    makeDirectories(directory, 0o700);
    for (const name of readdirSync(directory)) rmSync(join(directory, name), { force: true });
  }

  async close(): Promise<void> {
    const doors = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    for (const door of doors) if (door.status === 'fulfilled') await door.value.close();
  }

  async #serve(builder: string): Promise<{ path: string; close(): Promise<void> }> {
    const { directory, serve, containers, images } = this.#deps;
    const path = join(directory, `${fileNameOf(builder)}.sock`);
    rmSync(path, { force: true });
    const server = await serve(path, {
      images: images.forBuilder(builder),
      containers: {
        ...containers,
        create: (request, options) => containers.create(request, { ...options, builder }),
        commit: (ref, options) => containers.commit(ref, { ...options, builder }),
      },
    });
    chmodSync(path, 0o600);
    return { path, close: () => server.close() };
  }
}

/** Keeps what can be a file's name. Another one, as of a managed plugin, is told from others by its hash. */
function fileNameOf(builder: string): string {
  if (/^[\w.-]{1,40}$/.test(builder)) return builder;
  const hash = createHash('sha256').update(builder).digest('hex').slice(0, 12);
  return `${builder.replace(/[^\w.-]/g, '-').slice(0, 40)}-${hash}`;
}
