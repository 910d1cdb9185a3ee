import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from './engine.js';

const program = fileURLToPath(new URL('./provider.mjs', import.meta.url));

export interface ProviderOptions {
  kinds?: string;
  /** Waits in each call for what it asks of the engine. */
  asks?: boolean;
  /** The process that listens first ends, and a child of it serves. */
  forks?: boolean;
  /** Serves on this port of the host, by TCP. */
  port?: number;
  /** Further flags of `docker run`. */
  flags?: readonly string[];
}

/** A plugin that runs as an ordinary container: provider.mjs, with the host's Node.js, in busybox. */
export class Provider {
  readonly root: string;

  constructor(
    readonly engine: Engine,
    readonly name: string,
    readonly options: ProviderOptions = {},
  ) {
    this.root = join(engine.directory, 'providers', name);
  }

  /** Arguments of `docker run` for it. */
  get run(): string[] {
    const { engine, root, name, options } = this;
    // The host's Node.js is a dynamic program.
    const host = ['/usr', '/lib', '/lib64'].filter(existsSync).map((path) => `${path}:${path}:ro`);
    const shared = [engine.pluginDirectory, root, join(engine.execRoot, 'log')].map((path) => `${path}:${path}`);
    const binds = [...host, ...shared, `${dirname(program)}:${dirname(program)}:ro`];
    const env = [
      `NAME=${name}`,
      `DIRECTORY=${engine.pluginDirectory}`,
      `ROOT=${root}`,
      `KINDS=${options.kinds ?? 'VolumeDriver'}`,
    ];
    const network = options.port ? ['-p', `127.0.0.1:${options.port}:${options.port}`] : ['--network', 'none'];
    if (options.port) env.push(`PORT=${options.port}`);
    if (options.forks) env.push('FORK=1');
    if (options.asks) {
      binds.push(`${engine.directory}:${engine.directory}`);
      env.push(`ASK=${engine.socket}`);
    }
    return [
      'run',
      '-d',
      '--name',
      name,
      '--restart',
      'always',
      ...network,
      ...binds.flatMap((bind) => ['-v', bind]),
      ...env.flatMap((pair) => ['-e', pair]),
      ...(options.flags ?? []),
      'busybox',
      ...(options.forks ? ['sh', '-c', `${process.execPath} ${program}; sleep 1000`] : [process.execPath, program]),
    ];
  }

  /** The calls that it got, oldest first: `VolumeDriver.Mount`. */
  get calls(): string[] {
    return this.lines('calls').map((line) => line.split(' ')[0] ?? '');
  }

  lines(file: string): string[] {
    const path = join(this.root, file);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  }
}
