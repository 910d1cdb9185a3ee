import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BenchEngine, endAllBelow } from './engines.js';

/**
 * podman as its users have it: by its own command, without a daemon. Its service answers the API where a row prepares
 * something by it, and holds the network namespace; it counts for nothing.
 */
export class Podman extends BenchEngine {
  readonly #path: string;
  readonly #settings: string;

  constructor(name: string, base: string, path: string) {
    super(name, base);
    this.#path = path;
    this.#settings = join(this.directory, 'containers.conf');
    writeFileSync(
      this.#settings,
      [
        '[containers]',
        // It would raise them, which not every root may.
        'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]',
        '[engine]',
        'cgroup_manager = "cgroupfs"',
        'events_logger = "file"',
        'runtime = "runc"',
        `tmp_dir = "${join(this.execRoot, 'tmp')}"`,
        '',
      ].join('\n'),
    );
  }

  protected command(): string[] {
    return [this.#path, ...this.#roots(), 'system', 'service', '--time=0', `unix://${this.socket}`];
  }

  protected override environment(): NodeJS.ProcessEnv {
    return { ...process.env, CONTAINERS_CONF: this.#settings };
  }

  override async dockerWith(_variables: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
    const inside = [`--net=/proc/${this.pid}/ns/net`, this.#path, ...this.#roots(), ...args];
    const { stdout } = await promisify(execFile)('nsenter', inside, { env: this.environment() });
    return stdout;
  }

  /** Its monitors; they leave the group that they were started in. */
  override processes(): number[] {
    return readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) && this.#isMonitor(pid) ? [Number(pid)] : []));
  }

  #isMonitor(pid: string): boolean {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return /^[^\0]*conmon\0/.test(command) && command.includes(`${this.directory}/`);
    } catch {
      // It ended meanwhile.
      return false;
    }
  }

  #roots(): string[] {
    return ['--root', join(this.directory, 'data'), '--runroot', join(this.execRoot, 'run')];
  }

  protected clean(): Promise<string[]> {
    return endAllBelow([this.directory, this.execRoot]);
  }
}
