import type { Dockerfile, Writing } from '../language/dockerfile.js';
import { type CheckOptions, checkOptions, withComments } from './options.js';
import { addressOf, descriptionOf, experimental, type Rule } from './rules.js';

/** Something that a check has found. */
export interface Finding {
  readonly rule: Rule;
  readonly text: string;
  readonly description: string;
  readonly url: string;
  /** From 1; the first and the last. */
  readonly start: number;
  readonly end: number;
}

/** Findings that anybody reads; a file may be made to have any number. */
const maxFindings = 1000;

/** Collects what checks find, but for what the file does not want to hear. */
export class Findings {
  readonly all: Finding[] = [];
  readonly options: CheckOptions;
  readonly #writing: Dockerfile['writing'];

  /** @param given in place of the file's own options @throws InvalidParameter for options that are none */
  constructor({ directives, writing }: Dockerfile, given: string | undefined) {
    try {
      this.options = checkOptions(given ?? directives.check ?? '');
    } catch (error) {
      throw given === undefined ? prefixed(error, 'failed to parse check options') : error;
    }
    this.#writing = writing;
  }

  /** No more is wanted. */
  get isFull(): boolean {
    return this.all.length >= maxFindings;
  }

  /** @param line the first one of the instruction */
  add(rule: Rule, line: number, text: string, at?: Pick<Writing, 'start' | 'end'>): void {
    if (this.isFull) return;
    const writing = this.#writing.get(line);
    const { skip, experimental: asked } = withComments(this.options, writing?.comments ?? []);
    const isOn = experimental.has(rule) ? asked.has('all') || asked.has(rule) : !skip.has('all') && !skip.has(rule);
    if (!isOn) return;
    const { start, end } = at ?? writing ?? { start: line, end: line };
    this.all.push({ rule, text, start, end, description: descriptionOf(rule), url: addressOf(rule) });
  }

  /** The error of a build, where the file wants one. */
  get failure(): string | undefined {
    if (!this.options.isError || this.all.length === 0) return undefined;
    return `lint violation found for rules: ${[...new Set(this.all.map(({ rule }) => rule))].join(', ')}`;
  }
}

function prefixed(error: unknown, what: string): unknown {
  if (error instanceof Error) error.message = `${what}: ${error.message}`;
  return error;
}
