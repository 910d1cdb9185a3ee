import { activatePath } from '@cleat/protocol/dispatch';
import { kinds, logKind, networkKind, volumeKind } from '@cleat/protocol/kinds/index';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { Aliases } from './aliases.js';
import { bytesOf, meaningOf } from './body.js';
import { compare, type Difference, type Rules } from './compare.js';
import { type Body, type Exchange, exchangesOf, methodOf, type Recording } from './recording.js';

/** Questions of an engine that has just come, or come back: asked at any time, and as often as it likes. */
const greetings = new Set([
  activatePath,
  ...kinds.flatMap((kind) =>
    Object.keys(kind.methods)
      .filter((name) => /Capabilities$|^GetDefaultAddressSpaces$/.test(name))
      .map((name) => methodPath(kind, name)),
  ),
]);

/** Methods that a plugin need not have: an engine is content with 404. */
const optional = new Set(
  kinds.flatMap((kind) =>
    Object.entries(kind.methods).flatMap(([name, method]) => ('optional' in method ? [methodPath(kind, name)] : [])),
  ),
);

/** They change nothing: an engine that knows the answer already need not ask before it goes on. */
const questions = new Set([
  ...['Get', 'List', 'Path'].map((name) => methodPath(volumeKind, name)),
  ...['EndpointOperInfo', 'GwAllocCheck'].map((name) => methodPath(networkKind, name)),
  ...['ReadLogs', 'ValidateOptions'].map((name) => methodPath(logKind, name)),
]);

interface Line extends Exchange {
  asked: boolean;
  /** Where in the recording it began and ended. */
  readonly from: number;
  readonly to: number;
}

export type Found = { readonly exchange: Exchange } | { readonly missing: string; readonly status: 404 | 500 };

/** A recording as a part to play: which of its calls is the one that an engine makes. Learns the engine's new IDs. */
export class Script {
  readonly aliases = new Aliases();
  /** Questions that the recording does not have, in readable sentences. */
  readonly strange: string[] = [];
  readonly #lines: readonly Line[];
  readonly #rules: Rules;
  readonly #anyOrder: boolean;
  /** Where the play has come to: the last beginning of a call that was asked. */
  #front = 0;

  constructor(recording: Recording, rules: Rules, anyOrder: boolean) {
    this.#rules = rules;
    this.#anyOrder = anyOrder;
    const last = new Map(recording.events.map((event, at) => [event.call, at]));
    const first = new Map(recording.events.map((event, at) => [event.call, at] as const).reverse());
    this.#lines = [...exchangesOf(recording)].map(([call, exchange]) => {
      const over = exchange.end ?? (exchange.answer?.streams ? undefined : exchange.answer);
      // A call that never ended kept nobody waiting, and nothing came after it for sure.
      return { ...exchange, asked: false, from: first.get(call) ?? 0, to: over ? (last.get(call) ?? 0) : Infinity };
    });
  }

  /** Recorded calls that nobody made. */
  get neverAsked(): string[] {
    return this.#lines
      .filter(({ asked, request }) => !asked && !greetings.has(request.path))
      .map(({ request }) => `${methodOf(request)} ${textOf(request.body)} (call ${request.call}) was not asked`);
  }

  /** The recorded call that this one is; each is played once. */
  find(verb: string, path: string, body: Body | undefined): Found {
    const alike = this.#lines.filter(({ request }) => request.path === path && request.verb === verb);
    let early: string | undefined;
    let nearest: readonly Difference[] | undefined;
    for (const line of alike) {
      if (line.asked || this.#isPassedOver(line)) continue;
      const trial = new Aliases(this.aliases);
      const differences = compare(said(line.request.body), said(body), this.#rules, trial);
      if (differences.length > 0) {
        nearest ??= differences;
        continue;
      }
      const before = this.#due(line);
      if (before) {
        early ??= `comes before ${methodOf(before.request)} (call ${before.request.call}), which the recording has first`;
        continue;
      }
      trial.keep();
      line.asked = true;
      if (!greetings.has(path)) this.#front = Math.max(this.#front, line.from);
      return { exchange: line };
    }
    const again = greetings.has(path) ? alike.at(-1) : undefined;
    if (again) return { exchange: again };
    if (alike.length === 0 && optional.has(path)) return { missing: 'not found', status: 404 };
    const why = early ?? (nearest ? whereNearest(nearest) : 'is not in the recording, or not as often');
    const missing = `${path.slice(1)} ${textOf(body)} ${why}`;
    this.strange.push(missing);
    return { missing, status: 500 };
  }

  /** A question that was left out: its answer may no longer be true. */
  #isPassedOver({ request, to }: Line): boolean {
    return !this.#anyOrder && to < this.#front && !greetings.has(request.path);
  }

  /** @returns what has to be asked before; undefined when its turn has come */
  #due(line: Line): Line | undefined {
    if (this.#anyOrder || greetings.has(line.request.path)) return undefined;
    return this.#lines.find(
      ({ asked, request: { path }, to }) => !asked && to < line.from && !greetings.has(path) && !questions.has(path),
    );
  }
}

function whereNearest([first]: readonly Difference[]): string {
  const { where = '', recorded = '', now = '' } = first ?? {};
  return `is not in the recording: the next one like it has ${where || 'its body'} ${recorded}, not ${now}`;
}

function said(body: Body | undefined): unknown {
  return meaningOf(body) ?? bytesOf(body).toString('base64');
}

function textOf(body: Body | undefined): string {
  return body?.form === 'json' || body?.form === 'text' ? body.text.slice(0, 300) : '';
}
