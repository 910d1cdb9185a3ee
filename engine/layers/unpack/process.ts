import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CleatError, systemError } from '@cleat/protocol/errors';
import type { UnpackDone, UnpackMessage, UnpackOrder, UnpackReport } from './protocol.js';

/** The unpacking program. From sources (tests) it is the built one: Node 20 runs no TypeScript. */
function program(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/layers/unpack/child.js' : './child.js';
  return fileURLToPath(new URL(built, import.meta.url));
}

/** A process that runs `child.ts`. It does not keep the engine's event loop alive while it has nothing to do. */
export class UnpackProcess {
  readonly #child: ChildProcess;
  readonly #handles: (Partial<NodeJS.RefCounted> | null | undefined)[];
  #complaint = '';
  #isDead = false;
  #onReport: (report: UnpackReport) => void = () => {};
  #onDeath: (error: CleatError) => void = () => {};

  constructor() {
    this.#child = spawn(process.execPath, [program(), String(process.pid)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    const [, , stderr, reports] = this.#child.stdio as (Readable | null)[];
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-4000);
    });
    if (reports) createInterface({ input: reports }).on('line', (line) => this.#hear(line));
    // A pipe that breaks breaks with the process, whose end says so.
    for (const stream of [stderr, reports, this.#orders]) stream?.on('error', () => {});
    this.#handles = [this.#child, ...this.#child.stdio] as (Partial<NodeJS.RefCounted> | null)[];
    this.#child.once('error', (cause) => this.#end(systemError(cause.message, { cause })));
    this.#child.once('close', () => {
      const complaint = this.#complaint && `: ${this.#complaint.trim()}`;
      this.#end(systemError(`the unpacking process ended without an answer${complaint}`));
    });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get #orders(): Writable {
    return this.#child.stdio[4] as Writable;
  }

  /**
   * Has one archive unpacked. One at a time.
   * @throws CleatError of the class that the process says; System when it ends
   */
  async unpack(order: UnpackOrder, onRead?: (bytes: number) => void): Promise<UnpackDone> {
    this.#hold(true);
    try {
      return await new Promise<UnpackDone>((resolve, reject) => {
        this.#onDeath = reject;
        this.#onReport = (report) => {
          if ('read' in report) onRead?.(report.read);
          else if ('done' in report) resolve(report.done);
          else reject(new CleatError(report.error.class, report.error.message));
        };
        if (this.#isDead) reject(systemError('the unpacking process has ended'));
        else this.#send({ unpack: order });
      });
    } finally {
      this.#onReport = this.#onDeath = () => {};
      this.#hold(false);
    }
  }

  /** There is more of the archive that it unpacks, or now all. */
  tell(isWhole: boolean): void {
    this.#send({ grown: { isWhole } });
  }

  #hear(line: string): void {
    let report: UnpackReport;
    try {
      report = JSON.parse(line) as UnpackReport;
    } catch {
      // The beginning of a line: the process was killed while it wrote.
      return;
    }
    this.#onReport(report);
  }

  #send(message: UnpackMessage): void {
    if (!this.#isDead) this.#orders.write(`${JSON.stringify(message)}\n`);
  }

  /** Resolves when it is gone: it writes nothing from then on. */
  async kill(): Promise<void> {
    if (this.#isDead) return;
    const gone = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    this.#hold(true);
    this.#child.kill('SIGKILL');
    await gone;
  }

  #end(error: CleatError): void {
    this.#isDead = true;
    this.#onDeath(error);
  }

  #hold(isBusy: boolean): void {
    for (const handle of this.#handles) {
      if (isBusy) handle?.ref?.();
      else handle?.unref?.();
    }
  }
}
