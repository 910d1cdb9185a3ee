import { join } from 'node:path';

/** Where a container's things lie on the host. */
export class ContainerPaths {
  readonly #dataRoot: string;
  readonly #execRoot: string;

  constructor(roots: { dataRoot: string; execRoot: string }) {
    this.#dataRoot = roots.dataRoot;
    this.#execRoot = roots.execRoot;
  }

  /** Kept while the container exists: hosts, hostname, resolv.conf, spool, rw. */
  directory(id: string): string {
    return join(this.directories(), id);
  }

  directories(): string {
    return join(this.#dataRoot, 'containers');
  }

  /** The container's writes: overlayfs' upper directory. */
  upper(id: string): string {
    return join(this.directory(id), 'rw', 'upper');
  }

  /** Where the layers lie that containers have above their images; see `engine/oci/own-files.ts`. */
  sharedOwnFiles(): string {
    return join(this.#dataRoot, 'own-files');
  }

  /** A container's link to the one that it has. */
  ownFiles(id: string): string {
    return join(this.directory(id), 'rw', 'own');
  }

  work(id: string): string {
    return join(this.directory(id), 'rw', 'work');
  }

  /** The OCI bundle of the present run: config.json, conmon's attach socket and ctl, pid files, `oom`. */
  bundle(id: string): string {
    return join(this.#execRoot, 'containers', id);
  }

  /** Where the root file system is mounted while the container runs. */
  rootfs(id: string): string {
    return join(this.bundle(id), 'rootfs');
  }

  /** /dev/shm of a container that shares it (`--ipc shareable`). */
  shm(id: string): string {
    return join(this.bundle(id), 'shm');
  }

  /** Paths that were looked at and are held until the runtime has mounted them. */
  held(id: string): string {
    return join(this.bundle(id), 'held');
  }

  /** The secrets of this run, in memory. Its files are for everybody in the container: nobody else may come near. */
  secrets(id: string): string {
    return join(this.bundle(id), 'private', 'secrets');
  }

  /** Shows nothing below the layers of an image that is mounted. */
  empty(): string {
    return join(this.#execRoot, 'empty');
  }

  bundles(): string {
    return join(this.#execRoot, 'containers');
  }

  /** Where root file systems of containers that do not run are mounted while something looks into them. */
  archives(): string {
    return join(this.#execRoot, 'archives');
  }

  exits(): string {
    return join(this.#execRoot, 'exits');
  }

  runtimeRoot(runtime: string): string {
    return join(this.#execRoot, `runtime-${runtime.replaceAll('/', '_')}`);
  }
}
