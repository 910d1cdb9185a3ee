import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { systemError } from '@cleat/protocol/errors';
import { parseInterfaceNames } from '@cleat/protocol/net-dev';
import { defaultDeadlineMs, type Session } from './session.js';
import { shell } from './shell.js';
import { Inapplicable } from './trial.js';

/** Some drivers leave their interfaces to the end of a namespace, and look after those that are left a while later. */
const patienceMs = 5_000;

/** Interfaces of this host, or of the network namespace that this process is in. */
export const interfaceNames = (): Set<string> => parseInterfaceNames(readFileSync('/proc/self/net/dev', 'utf8'));

/** Whether this host has an interface. */
export const isThere = (link: string): boolean => interfaceNames().has(link);

/** Returns those of the interfaces that are still there after drivers had time to remove them. */
export async function remaining({ settings }: Session, list: () => readonly string[]): Promise<string[]> {
  const end = Date.now() + Math.min(patienceMs, settings.deadlineMs ?? defaultDeadlineMs);
  for (;;) {
    const there = interfaceNames();
    const left = list().filter((link) => there.has(link));
    if (left.length === 0 || Date.now() > end) return left;
    await pause(20);
  }
}

/** The hardware address of an interface of this host; empty where it cannot be told. */
export function hardwareAddress(link: string): string {
  try {
    return readFileSync(`/sys/class/net/${link}/address`, 'utf8').trim();
  } catch {
    // It is of another namespace than /sys.
    return '';
  }
}

/** A network namespace, as a container has one, for as long as this process lives. */
export class Sandbox implements AsyncDisposable {
  readonly #process: ReturnType<typeof spawn>;

  private constructor(process: ReturnType<typeof spawn>) {
    this.#process = process;
  }

  /** @throws Inapplicable where this process must not make one */
  static async make(): Promise<Sandbox> {
    if (process.getuid?.() !== 0) throw new Inapplicable('it moves an interface into a namespace: that takes root');
    // It ends when its input does, so it does not outlive the verifier.
    const made = spawn('unshare', ['--net', 'sh', '-c', 'echo made; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const ready = await Promise.race([
      once(made.stdout, 'data').then(() => true),
      once(made, 'close').then(() => false),
      once(made, 'error').then(() => false),
    ]);
    if (!ready) throw new Inapplicable('a network namespace cannot be made here');
    return new Sandbox(made);
  }

  /** A process in it. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  has(link: string): boolean {
    return readFileSync(`/proc/${this.pid}/net/dev`, 'utf8').includes(`${link}:`);
  }

  /** @throws System with what `ip` said */
  async takes(link: string): Promise<void> {
    const { code, text } = await shell('ip link set dev "$1" netns "$2"', link, `${this.pid}`);
    if (code !== 0) throw systemError(`${link} cannot be moved into a sandbox: ${text}`);
  }

  /**
   * An interface of this host that goes together with all that are in the sandbox: the kernel takes them away some time
   * after the last process has ended. @throws System with what `ip` said
   */
  async witness(): Promise<string> {
    const name = `w${randomBytes(6).toString('hex')}`;
    const { code, text } = await shell('ip link add "$1" type veth peer name "$1"i netns "$2"', name, `${this.pid}`);
    if (code !== 0) throw systemError(`an interface cannot be made in a sandbox: ${text}`);
    return name;
  }

  /** Back to this host, unless it is gone. */
  async givesBack(link: string): Promise<void> {
    if (!this.has(link)) return;
    const inside = 'nsenter "--net=/proc/$2/ns/net" ip link set dev "$1" netns "$3"';
    const { code, text } = await shell(inside, link, `${this.pid}`, `${process.pid}`);
    if (code !== 0 && this.has(link)) throw systemError(`${link} cannot be moved back: ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}
