import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * A disk that shows what a power cut would leave: ext4 in a file on another ext4. To cut is to freeze the outer one and
 * to copy the file: all that the inner one has written to its disk, and nothing that is only in memory.
 */
export class PowerDisk implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'cle-disk-'));
  readonly #outer = join(this.#directory, 'outer');
  /** Where the inner file system is mounted. */
  readonly path = join(this.#directory, 'inner');

  constructor(megabytes: number) {
    // Mount namespaces that others make meanwhile have copies of its mounts: of shared ones, which go when these go.
    run('mount', '--bind', this.#directory, this.#directory);
    run('mount', '--make-shared', this.#directory);
    mkdirSync(this.#outer);
    mkdirSync(this.path);
    this.#make(`${this.#outer}.img`, 2 * megabytes, this.#outer);
    this.#make(this.#inner, megabytes, this.path);
  }

  get #inner(): string {
    return join(this.#outer, 'inner.img');
  }

  /** @param moment called while nothing changes. @returns the disk as it was then, mounted elsewhere */
  cut(moment: () => void): { path: string } & Disposable {
    const path = mkdtempSync(join(this.#directory, 'cut-'));
    const image = `${path}.img`;
    run('fsfreeze', '--freeze', this.#outer);
    try {
      run('cp', '--sparse=always', this.#inner, image);
      moment();
    } finally {
      run('fsfreeze', '--unfreeze', this.#outer);
    }
    run('mount', '-o', 'loop', image, path);
    return {
      path,
      [Symbol.dispose]() {
        run('umount', path);
        rmdirSync(path);
        rmSync(image);
      },
    };
  }

  [Symbol.dispose](): void {
    run('umount', this.path);
    // The loop device releases its file a moment after the last other process that looks at it has closed it.
    for (let tries = 50; ; tries--) {
      try {
        run('umount', this.#outer);
        break;
      } catch (error) {
        if (tries === 0) throw error;
        execFileSync('sleep', ['0.1']);
      }
    }
    run('umount', this.#directory);
    rmSync(this.#directory, { recursive: true });
  }

  #make(image: string, megabytes: number, target: string): void {
    run('truncate', '--size', `${megabytes}M`, image);
    // Nothing is kept back for root: what is full is full.
    run('mkfs.ext4', '-q', '-F', '-m', '0', image);
    run('mount', '-o', 'loop', image, target);
  }
}
