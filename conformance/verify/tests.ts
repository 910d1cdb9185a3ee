import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import { suites } from '../kinds/index.js';
import { explanation } from '../report/text.js';
import type { Case, CaseFacts } from './case.js';
import { type Opened, type OpenOptions, open } from './opening.js';
import { comeBack, perform, type Result, revive, skipped } from './perform.js';
import { casesOf, checkSelection } from './verify.js';

export interface TestOptions extends OpenOptions {
  /** The kinds that the plugin must implement, for example `VolumeDriver`: tests are named before it is started. */
  kinds: readonly string[];
  /** Advice that is not followed fails. Default: its test is skipped, with what was found. */
  strict?: boolean;
}

/** The part that is needed of what a test runner hands to a test; vitest and node:test have it. */
export interface TestContext {
  skip(reason?: string): unknown;
}

/** One case as a test. */
export interface ConformanceTest extends CaseFacts {
  /** For the runner: `Mount is repeated… [volume/mount-repeated]` */
  readonly name: string;
  /**
   * @param context where a skipped test is to be seen as one; without it, it passes
   * @throws Error whose message tells what was called, answered and expected, and why it matters
   */
  run(context?: TestContext): Promise<void>;
}

/** The tests of one plugin, which is started with the first of them and ended by `close`. */
export interface ConformanceTests extends AsyncDisposable {
  readonly tests: readonly ConformanceTest[];
  close(): Promise<void>;
}

/**
 * The cases of `cleat verify` for a test runner, each a test. They take turns, however they are run.
 * @param plugin an address, the path of a socket or of a description, or a name
 * @throws InvalidParameter for a kind that nobody here can verify
 * @example
 * const plugin = conformanceTests(socket, { kinds: ['VolumeDriver'], start: `exec node main.js --socket ${socket}` });
 * afterAll(() => plugin.close());
 * for (const { name, run } of plugin.tests) test(name, run);
 */
export function conformanceTests(plugin: string, options: TestOptions): ConformanceTests {
  const { kinds } = options;
  const unknown = kinds.filter((name) => !suites.some(({ kind }) => kind.name === name));
  if (unknown.length > 0 || kinds.length === 0) {
    const known = suites.map(({ kind }) => kind.name).join(', ');
    throw invalidParameter(`kinds is a list of what can be verified (${known}), not [${kinds.join(', ')}]`);
  }
  checkSelection(options);
  const tried = new Tried(plugin, options);
  const close = () => tried.close();
  return {
    tests: casesOf(kinds, options).map((one) => ({
      ...one,
      name: `${one.title} [${one.id}]`,
      run: async (context) => settle(await tried.result(one), options.strict === true, context),
    })),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A plugin and its cases, one at a time. */
class Tried {
  readonly #plugin: string;
  readonly #options: TestOptions;
  #opened: Promise<Opened> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #dead: string | undefined;

  constructor(plugin: string, options: TestOptions) {
    this.#plugin = plugin;
    this.#options = options;
  }

  result(one: Case): Promise<Result> {
    const mine = this.#turn.then(() => this.#perform(one));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async close(): Promise<void> {
    await this.#turn;
    // The caller that opened it was told why that failed.
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }

  async #perform(one: Case): Promise<Result> {
    this.#opened ??= this.#open();
    const { session } = await this.#opened;
    this.#dead ??= await comeBack(session);
    if (this.#dead !== undefined) return skipped(one, this.#dead);
    const result = await perform(one, session);
    if (result.outcome === 'failed' || result.outcome === 'broken') this.#dead ??= await revive(session);
    return result;
  }

  async #open(): Promise<Opened> {
    const opened = await open(this.#plugin, this.#options);
    const missing = this.#options.kinds.filter((name) => !opened.kinds.includes(name));
    if (missing.length === 0) return opened;
    await opened[Symbol.asyncDispose]();
    const says = opened.kinds.join(', ') || 'nothing';
    throw unavailable(`the plugin at ${opened.origin} says that it implements ${says}, not ${missing.join(', ')}`);
  }
}

function settle({ case: one, outcome, finding, reason = '' }: Result, strict: boolean, context?: TestContext): void {
  if (outcome === 'passed') return;
  if (outcome === 'skipped') {
    context?.skip(reason);
    return;
  }
  if (!finding) throw new Error(`the case itself is at fault, or could not go on: ${reason}`);
  if (outcome === 'warned' && !strict) {
    context?.skip(`advice: ${finding.message}`);
    return;
  }
  throw new Error(`${one.title}\n${explanation(finding, one.why).join('\n')}`, { cause: finding });
}
