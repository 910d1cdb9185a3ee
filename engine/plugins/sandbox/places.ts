import { join } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Roots } from '../../config.js';

/** The plugin's own sockets, as it sees them. */
export const socketsInside = '/run/docker/plugins';
/** `sun_path` has 108 bytes (unix(7)). */
const maxSocketPath = 107;

/** Where a plugin's things lie on the host. */
export class PluginPlaces {
  readonly id: string;
  /** Kept until the plugin is removed. */
  readonly directory: string;
  /** The directory of the present run. The ID is cut: a socket's path must be short. */
  readonly bundle: string;
  /** Layers that are shared with containers; see `engine/oci/own-files.ts`. */
  readonly ownFiles: string;
  /** The runtimes' state of plugins. */
  readonly #execRoot: string;

  constructor({ dataRoot, execRoot }: Roots, id: string) {
    this.id = id;
    this.directory = join(dataRoot, 'plugins', id);
    this.bundle = join(bundlesIn({ execRoot }), bundleName(id));
    this.ownFiles = join(dataRoot, 'own-files');
    this.#execRoot = execRoot;
  }

  /** Its changes of its root file system. */
  get upper(): string {
    return join(this.directory, 'upper');
  }

  get work(): string {
    return join(this.directory, 'work');
  }

  /** Behind its PropagatedMount: what it mounts there is mounted here as well. */
  get propagated(): string {
    return join(this.directory, 'propagated-mount');
  }

  get rootfs(): string {
    return join(this.bundle, 'rootfs');
  }

  /** Where it makes its socket; it sees it as {@link socketsInside}. */
  get sockets(): string {
    return join(this.bundle, 'run');
  }

  /** Where the engine leaves the other ends of its output for a log driver, and nothing else. */
  get logging(): string {
    return join(this.bundle, 'logging');
  }

  /** `/run/docker` of a plugin that finds more there than its own sockets. */
  get docker(): string {
    return join(this.bundle, 'docker');
  }

  /** Its network's files. */
  get network(): string {
    return join(this.bundle, 'network');
  }

  /** conmon's log, alone in its directory, which is watched. */
  get output(): string {
    return join(this.bundle, 'output', 'log');
  }

  get exits(): string {
    return join(this.bundle, 'exits');
  }

  get pidFile(): string {
    return join(this.bundle, 'pid');
  }

  get conmonPidFile(): string {
    return join(this.bundle, 'conmon.pid');
  }

  /** The whole ID, which the bundle's name is only the beginning of. */
  get idFile(): string {
    return join(this.bundle, 'id');
  }

  get note(): string {
    return join(this.bundle, 'note.json');
  }

  get shells(): string {
    return join(this.bundle, 'shells');
  }

  runtimeRoot(runtime: string): string {
    return pluginRuntimeRoot({ execRoot: this.#execRoot }, runtime);
  }

  /** @param name `Interface.Socket` @throws InvalidParameter for what is no plain name, or too long */
  socket(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw invalidParameter(`Interface.Socket must be the name of a file, not ${JSON.stringify(name)}`);
    }
    const path = join(this.sockets, name);
    if (Buffer.byteLength(path) <= maxSocketPath) return path;
    throw invalidParameter(`${path} is too long for a socket: choose a shorter --exec-root`);
  }
}

export const bundlesIn = ({ execRoot }: Pick<Roots, 'execRoot'>): string => join(execRoot, 'plugins');

/** IDs are random: 16 digits are nobody else's. */
export const bundleName = (id: string): string => id.slice(0, 16);

/** An OCI runtime's state of plugins: not where it keeps containers, of which unknown ones are removed. */
export const pluginRuntimeRoot = ({ execRoot }: Pick<Roots, 'execRoot'>, runtime: string): string =>
  join(execRoot, 'plugin-runtimes', runtime.replaceAll('/', '_'));
