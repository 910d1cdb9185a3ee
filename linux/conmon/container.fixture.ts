/** A real busybox container in a temporary directory, for this room's tests. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeCgroup } from '../cgroup/lifecycle.js';
import { OciRuntime } from '../runtime/runtime.js';
import { type CreateRequest, createContainer, type MonitoredContainer } from './create.js';

let counter = 0;

export interface TestProcess {
  args: string[];
  terminal?: boolean;
  /** Bytes. */
  memory?: number;
}

export function ociProcess({ args, terminal = false }: TestProcess): object {
  return { terminal, user: { uid: 0, gid: 0 }, args, env: ['PATH=/bin'], cwd: '/', noNewPrivileges: true };
}

/** Directories, a bundle and a runtime of their own; `dispose` takes everything away again. */
export class TestContainer {
  readonly id = `cleat-test-${process.pid}-${counter++}`;
  readonly #cgroup = `/cleat-test-${this.id}`;
  readonly cgroupsPath = `${this.#cgroup}/${this.id}`;
  readonly directory = mkdtempSync(join(tmpdir(), 'cleat-conmon-'));
  readonly bundle: string;
  readonly exitDir: string;
  readonly persistDir: string;
  readonly logPath: string;
  readonly runtime: OciRuntime;

  constructor(spec: TestProcess) {
    // Longer than a socket's path may be.
    this.bundle = this.make(`bundle-${'x'.repeat(100)}`);
    this.exitDir = this.make('exits');
    this.persistDir = this.make('persist');
    this.logPath = join(this.directory, 'log');
    this.runtime = new OciRuntime({ name: 'runc', path: '/usr/sbin/runc', root: join(this.directory, 'runc') });
    const bin = this.make('rootfs/bin');
    for (const name of ['proc', 'dev', 'tmp']) this.make(`rootfs/${name}`);
    copyFileSync('/bin/busybox', join(bin, 'busybox'));
    for (const name of ['sh', 'cat', 'sleep', 'echo', 'stty', 'true', 'seq', 'wc', 'tail'])
      symlinkSync('busybox', join(bin, name));
    const config = {
      ociVersion: '1.0.2',
      process: ociProcess(spec),
      root: { path: join(this.directory, 'rootfs') },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
        { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
      ],
      linux: {
        cgroupsPath: this.cgroupsPath,
        resources: spec.memory === undefined ? {} : { memory: { limit: spec.memory } },
        namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
      },
    };
    writeFileSync(join(this.bundle, 'config.json'), JSON.stringify(config));
  }

  make(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  request(options: Partial<CreateRequest> = {}): CreateRequest {
    return {
      conmonPath: '/usr/bin/conmon',
      id: this.id,
      bundle: this.bundle,
      ...this.runtime.command('create'),
      exitDir: this.exitDir,
      persistDir: this.persistDir,
      pidFile: join(this.directory, 'pid'),
      conmonPidFile: join(this.directory, 'conmon.pid'),
      logPath: this.logPath,
      terminal: false,
      stdin: false,
      leaveStdinOpen: false,
      ...options,
    };
  }

  create(options: Partial<CreateRequest> = {}): Promise<MonitoredContainer> {
    return createContainer(this.request(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime.delete(this.id, { force: true });
    removeCgroup(this.#cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
