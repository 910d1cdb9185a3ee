import { setTimeout as sleep } from 'node:timers/promises';
import type { SocketCarrier } from '@cleat/extensions/carriers/socket';
import { kinds } from '@cleat/protocol/kinds/index';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { type Reached, reach } from '../reach.js';
import { Aliases } from './aliases.js';
import { judge } from './answers.js';
import { Asked } from './ask.js';
import { bytesOf } from './body.js';
import { bodyNow } from './body-now.js';
import { answerRules, type Rules } from './compare.js';
import { Fifos } from './fifos.js';
import { type EndEvent, type Exchange, exchangesOf, methodOf, type Recording } from './recording.js';

export interface ReplayOptions {
  /** Keys whose values in answers may be any, at any depth, in any case. */
  readonly ignore?: readonly string[];
  /** 1: no call before its recorded time; 2: twice as fast. Default: as fast as the order permits. */
  readonly speed?: number;
  /** How long one answer may take, in ms; default: as long as an engine waits, or as it took, whichever is longer. */
  readonly deadlineMs?: number;
}

/** A call that did not go as recorded. */
export interface CallDifference {
  /** Its number in the recording. */
  readonly call: number;
  /** For example `VolumeDriver.Mount`. */
  readonly method: string;
  /** The request, as recorded. */
  readonly request: string;
  /** Readable sentences. */
  readonly what: readonly string[];
}

export interface ReplayResult {
  /** How many were asked. */
  readonly calls: number;
  /** Empty when all went as recorded. */
  readonly differences: readonly CallDifference[];
}

/**
 * Asks a plugin what was recorded, in the recorded order: what was asked while another call was under way is asked so
 * again, and what was asked after an answer waits for that answer. Values that the plugin makes anew (mount points, IDs
 * of pools) take the place of the recorded ones in what is asked later.
 * @param plugin as `reach` takes it
 * @throws InvalidParameter, NotFound; whatever a plugin does is a difference
 */
export async function replay(
  recording: Recording,
  plugin: Reached | string,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const carrier = (typeof plugin === 'string' ? reach(plugin) : plugin).open();
  const player = new Player(carrier, recording, options);
  try {
    return await player.play();
  } finally {
    await carrier.close();
  }
}

/** How long a call that was given up is given now, when nothing is said of the speed, in ms: hanging is not waited for. */
const longestPatienceMs = 1_000;

class Player {
  readonly #carrier: SocketCarrier;
  readonly #recording: Recording;
  readonly #options: ReplayOptions;
  readonly #rules: Rules;
  readonly #exchanges: ReadonlyMap<number, Exchange>;
  readonly #aliases = new Aliases();
  readonly #fifos = new Fifos();
  readonly #open = new Map<number, Asked>();
  readonly #differences: CallDifference[] = [];
  readonly #startMs = performance.now();

  constructor(carrier: SocketCarrier, recording: Recording, options: ReplayOptions) {
    this.#carrier = carrier;
    this.#recording = recording;
    this.#options = options;
    this.#rules = answerRules(options.ignore);
    this.#exchanges = exchangesOf(recording);
  }

  async play(): Promise<ReplayResult> {
    try {
      for (const event of this.#recording.events) {
        const exchange = this.#exchanges.get(event.call);
        if (exchange === undefined) continue;
        if (event.what === 'request') await this.#ask(exchange);
        else if (event.what === 'end' && event.how === 'caller') await this.#cut(exchange, event);
        else if (event.what === 'end' || (event.what === 'answer' && !event.streams)) await this.#settle(exchange);
      }
    } finally {
      // Those whose end was not recorded.
      for (const asked of this.#open.values()) asked.cut();
      this.#fifos.close();
    }
    const differences = this.#differences.sort((one, other) => one.call - other.call);
    return { calls: this.#exchanges.size, differences };
  }

  async #ask({ request, answer, end }: Exchange): Promise<void> {
    await this.#fifos.before(request, this.#aliases);
    const { speed } = this.#options;
    if (speed !== undefined) await sleep(Math.max(0, request.atMs / speed - (performance.now() - this.#startMs)));
    const { verb, path, accept, type } = request;
    const tookMs = (end ?? answer)?.afterMs ?? 0;
    const deadlineMs = this.#options.deadlineMs ?? Math.max(deadlines.get(path) ?? usualDeadlineMs, tookMs * 2);
    const body = bodyNow(request.body, this.#aliases);
    const asked = new Asked(this.#carrier, { verb, path, accept, type, body, deadlineMs });
    this.#open.set(request.call, asked);
    await asked.sent;
    this.#fifos.after(request);
  }

  async #settle(exchange: Exchange): Promise<void> {
    const asked = this.#open.get(exchange.request.call);
    if (asked === undefined) return;
    this.#open.delete(exchange.request.call);
    this.#note(exchange, judge(exchange, await asked.outcome, this.#rules, this.#aliases));
  }

  /** Hangs up as the caller did: when as much has come as then, or after the time that it had then. */
  async #cut(exchange: Exchange, { afterMs }: EndEvent): Promise<void> {
    const { call } = exchange.request;
    const asked = this.#open.get(call);
    if (asked === undefined) return;
    this.#open.delete(call);
    const { speed } = this.#options;
    const patienceMs = speed === undefined ? Math.min(afterMs, longestPatienceMs) : afterMs / speed;
    const came = exchange.more.reduce((sum, { body }) => sum + bytesOf(body).length, 0);
    const stop = new AbortController();
    const given = sleep(exchange.answer ? Math.max(patienceMs, longestPatienceMs) : patienceMs, undefined, {
      signal: stop.signal,
    }).catch(() => {}); // It came in time.
    await Promise.race([given, exchange.answer ? asked.received(Math.max(came, 1)) : asked.outcome]);
    stop.abort();
    asked.cut();
    this.#note(exchange, judge(exchange, await asked.outcome, this.#rules, this.#aliases));
  }

  #note({ request }: Exchange, what: readonly string[]): void {
    if (what.length === 0) return;
    const said = request.body?.form === 'json' || request.body?.form === 'text' ? request.body.text : '';
    this.#differences.push({ call: request.call, method: methodOf(request), request: said, what });
  }
}

const usualDeadlineMs = 60_000;

/** How long an engine waits for each method. */
const deadlines = new Map(
  kinds.flatMap((kind) =>
    Object.entries(kind.methods).map(([name, method]) => [methodPath(kind, name), method.deadlineMs] as const),
  ),
);
