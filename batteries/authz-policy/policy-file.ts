import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readGivenFile } from '@cleat/linux/files/given';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { type Judge, type JudgeOptions, judgeOf } from '@cleat/sdk/policy';
import { parse } from 'yaml';
import type { Settings } from './options.js';

/**
 * A file that has changed is left alone for so long, in ms: somebody may be writing it, and half of it could allow more
 * than the whole. Besides, clocks of file systems tick slowly, so that two changes may look like one.
 */
const settleMs = 50;
/** A file that is written all the time is read as it is. */
const patience = 10;

/**
 * The policy as its file says it at the moment. One that is wrong leaves the former in force, and says so in the log and
 * in its health; without a former, nothing can be judged.
 */
export class PolicyFile {
  readonly #settings: Settings;
  readonly #options: Omit<JudgeOptions, 'parse'>;
  readonly #log: Logger;
  #judge: Judge | undefined;
  /** The mark of the file as it was read last. */
  #seen = '';
  #wrong: string | undefined;
  #reading: Promise<void> | undefined;

  constructor(settings: Settings, options: Omit<JudgeOptions, 'parse'>, log: Logger) {
    this.#settings = settings;
    this.#options = options;
    this.#log = log;
  }

  /** @throws Unavailable when there has not been a policy yet */
  async now(): Promise<Judge> {
    await this.#look();
    if (this.#judge) return this.#judge;
    throw unavailable(`nothing is allowed without a policy: ${this.#wrong ?? 'it was not read yet'}`);
  }

  /** @throws Unavailable when the file is wrong, also while a former one is in force */
  async check(): Promise<void> {
    await this.#look();
    if (this.#wrong === undefined) return;
    throw unavailable(`${this.#wrong}${this.#judge ? '; the former policy is in force' : '; nothing is allowed'}`);
  }

  async #look(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { policy: path, form } = this.#settings;
    try {
      const mark = await settled(path);
      if (mark !== '' && mark === this.#seen) return;
      const text = readGivenFile(path).toString();
      const judge = judgeOf(form, text, { ...this.#options, parse: (yaml) => parse(yaml) });
      // Changed while it was read: the next request reads it again.
      this.#seen = (await markOf(path)).mark === mark ? mark : '';
      this.#judge = judge;
      this.#wrong = undefined;
      const { warnings, policy } = judge;
      for (const warning of warnings) this.#log.warn(`${path}: ${warning}`);
      this.#log.info('a policy is in force', { path, rules: policy?.rules.length, dryRun: judge.isDryRun });
    } catch (error) {
      this.#seen = '';
      const wrong = `the policy ${path} cannot be used: ${messageOf(error)}`;
      if (wrong !== this.#wrong) {
        this.#log.error(this.#judge ? `${wrong}; the former one stays in force` : `${wrong}; nothing is allowed`);
      }
      this.#wrong = wrong;
    }
  }
}

/** Waits until a file rests. @returns its mark; '' when it never does */
async function settled(path: string): Promise<string> {
  for (let i = 0; i < patience; i++) {
    const { mark, ageMs } = await markOf(path);
    if (ageMs >= settleMs) return mark;
    await sleep(Math.min(settleMs - ageMs, settleMs));
  }
  return '';
}

/** A mark that changes whenever the file does, and how long ago that was. */
async function markOf(path: string): Promise<{ mark: string; ageMs: number }> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return { mark: `${ino} ${size} ${mtimeNs} ${ctimeNs}`, ageMs: Date.now() - Number(ctimeNs / 1_000_000n) };
}
