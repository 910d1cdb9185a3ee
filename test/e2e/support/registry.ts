import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.js';

/** Debian's `docker-registry` on a loopback port with a directory of its own. */
export class Registry implements AsyncDisposable {
  /** As it stands before a repository: `127.0.0.1:PORT`. */
  readonly host: string;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(host: string, process: ChildProcess, directory: string) {
    this.host = host;
    this.#process = process;
    this.#directory = directory;
  }

  /**
   * The same registry for somebody in another network namespace, whose loopback is another one: it serves the same data
   * at the same address.
   * @param enter the command before its own, such as `nsenter`
   */
  async alsoIn(enter: readonly string[]): Promise<AsyncDisposable> {
    const run = (...command: string[]) => {
      const [first = '', ...args] = [...enter, ...command];
      return spawn(first, args, { stdio: 'ignore' });
    };
    await once(run('ip', 'link', 'set', 'lo', 'up'), 'exit');
    const process = run('docker-registry', 'serve', join(this.#directory, 'config.yml'));
    for (let attempt = 0; attempt < 1000; attempt++) {
      const probe = run('busybox', 'wget', '-q', '-O', '/dev/null', `http://${this.host}/v2/`);
      if ((await once(probe, 'exit'))[0] === 0) break;
      await sleep(100);
    }
    return {
      async [Symbol.asyncDispose]() {
        if (process.exitCode !== null) return;
        process.kill('SIGKILL');
        await once(process, 'exit');
      },
    };
  }

  static async start(): Promise<Registry> {
    const directory = await mkdtemp('/tmp/cleat-registry-');
    const host = `127.0.0.1:${await freePort()}`;
    const config = join(directory, 'config.yml');
    await writeFile(
      config,
      `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: ${directory}/data}
  delete: {enabled: true}
http: {addr: ${host}}
`,
    );
    const process = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
    const registry = new Registry(host, process, directory);
    for (let attempt = 0; ; attempt++) {
      const up = await fetch(`http://${host}/v2/`).then(
        (response) => response.ok,
        () => false,
      );
      if (up) return registry;
      if (attempt === 1000 || process.exitCode !== null) {
        await registry[Symbol.asyncDispose]();
        throw new Error('docker-registry did not come up');
      }
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}
