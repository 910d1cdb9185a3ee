import type { Socket } from 'node:net';
import type { Audit } from '@cleat/engine/audit/service';
import type { HookChange } from '@cleat/engine/hooks/service';
import type { Decision, NewAuditRecord } from '@cleat/protocol/audit';
import { asCleatError } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { readable } from '@cleat/protocol/untrusted';
import { type Verdict, verdictOf } from '@cleat/protocol/verdict';
import type { Peer } from '../callers/peer.js';
import type { Exchange } from '../http/exchange.js';
import { FinalAnswer } from '../http/final-answer.js';
import type { ApiRequest } from '../http/messages.js';
import { canonicalPath, type Match, type RouteShape } from '../http/target.js';
import { maskedQuery, maskedTarget, routeText, shortened } from './mask.js';

/** A stream that lasts longer is on record before it ends. */
const openAfterMs = 5000;
const longestReason = 1024;

/** How a request ended. */
export interface Ending {
  /** Status of the answer that was sent; 0: none was. */
  readonly status: number;
  /** The error that was thrown instead of an answer. */
  readonly error?: unknown;
}

/** One request on its way into the audit journal. It is told what happens, and writes it down at the end. */
export class Recording {
  readonly #audit: Audit;
  readonly #request: ApiRequest;
  /** The request lets go of it when its client goes. */
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #began = Date.now();
  readonly #started = performance.now();
  readonly #sentBefore: number;
  #exchange: Exchange | undefined;
  #match: Match<RouteShape> | undefined;
  #container: NewAuditRecord['Container'];
  /** All checks have let it pass. */
  #isAdmitted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(audit: Audit, request: ApiRequest, peer: Peer) {
    this.#audit = audit;
    this.#request = request;
    this.#peer = peer;
    this.#socket = request.socket;
    this.#sentBefore = request.socket.bytesWritten;
  }

  understood(exchange: Exchange, match: Match<RouteShape>): void {
    this.#exchange = exchange;
    this.#match = match;
    // Now: the request may be its removal, or give it another name.
    this.#container = this.#containerOf(exchange, match);
  }

  /** A request that takes the connection over is noted at once, one that streams when it lasts. */
  admitted(): void {
    this.#isAdmitted = true;
    const rerouted = this.#rerouted;
    if (rerouted && this.#exchange) this.#container = this.#containerOf(this.#exchange, rerouted);
    const { hijacks, streams } = (rerouted ?? this.#match)?.route ?? {};
    if (hijacks) this.#noteOpen();
    else if (streams) this.#timer = setTimeout(() => this.#noteOpen(), openAfterMs).unref();
  }

  ended({ status, error }: Ending): void {
    clearTimeout(this.#timer);
    const made = this.#exchange?.made;
    if (made !== undefined) this.#container = this.#find(made) ?? { ...this.#container, ID: made };
    const refusal = this.#refusal(error);
    const decision = this.#decision(status);
    if (refusal) {
      const { by, reason, denied } = refusal;
      this.#note(
        denied ? 'denied' : 'failed',
        status,
        by,
        readable(reason, longestReason),
        this.#isAdmitted || undefined,
      );
    } else if (error !== undefined) {
      this.#note(decision, status, undefined, reasonOf(error));
    } else {
      const hooked = this.#exchange?.hooked?.decision;
      const isAnswered = hooked?.result === 'answered';
      this.#note(decision, status, isAnswered ? `hook ${hooked.by}` : undefined, isAnswered ? 'answered' : undefined);
    }
  }

  /** A hook's or an authorizer's. */
  #refusal(error: unknown): Verdict | undefined {
    if (error === undefined) return undefined;
    const hooked = this.#exchange?.hooked?.decision ?? { result: 'passed' };
    if (hooked.result === 'passed' || hooked.result === 'answered') {
      return error instanceof FinalAnswer ? error.verdict : verdictOf(error);
    }
    return { by: `hook ${hooked.by}`, reason: hooked.reason, denied: hooked.result === 'denied' };
  }

  /** Where an adapter led it. */
  get #rerouted(): Match<RouteShape> | undefined {
    const match = this.#exchange?.match;
    return match === this.#match ? undefined : match;
  }

  #noteOpen(): void {
    this.#note('open', 0);
  }

  #decision(status: number): Decision {
    if (!this.#isAdmitted) return status === 0 ? 'failed' : 'refused';
    return status > 0 && status < 400 ? 'allowed' : 'failed';
  }

  /** One literal: this is done for each request, and members that are undefined cost nothing. */
  #note(decision: Decision, status: number, by?: string, reason?: string, executed?: true): void {
    const rerouted = this.#rerouted;
    const match = rerouted ?? this.#match;
    const exchange = this.#exchange;
    const changes = changesOf(exchange);
    const socket = this.#socket;
    const { method = '', url = '' } = this.#request;
    this.#audit.note({
      Time: timeText(this.#began),
      ID: exchange?.id,
      Caller: this.#peer.caller,
      Remote: socket.remoteAddress === undefined ? undefined : `${socket.remoteAddress}:${socket.remotePort}`,
      Method: rerouted && exchange ? exchange.method : method,
      Asked: rerouted ? `${method} ${readable(maskedTarget(url))}` : undefined,
      URI: exchange && match ? uriOf(exchange, match, rerouted !== undefined) : readable(maskedTarget(url)),
      Route: match ? routeText(match.route) : '',
      Container: this.#container,
      Decision: decision,
      By: by,
      Reason: reason,
      Executed: executed,
      Changes: changes,
      Status: status,
      DurationMs: Math.round((performance.now() - this.#started) * 1000) / 1000,
      Sent: socket.bytesWritten - this.#sentBefore,
    });
  }

  #containerOf(exchange: Exchange, { route, params }: Match<RouteShape>): NewAuditRecord['Container'] {
    if (route.path.startsWith('/exec/')) return this.#audit.containerOfExec(params.id ?? '');
    const ref = route.path.startsWith('/containers/')
      ? (params.name ?? exchange.query.text('name'))
      : exchange.query.text('container');
    if (ref === '') return undefined;
    return this.#find(ref) ?? { Name: readable(ref.replace(/^\//, ''), 256) };
  }

  #find(ref: string): NewAuditRecord['Container'] {
    try {
      return this.#audit.container(ref);
    } catch {
      return undefined; // Several fit, or none: the handler tells the client which.
    }
  }
}

/** By adapters and hooks, in this order. */
function changesOf(exchange: Exchange | undefined): HookChange[] | undefined {
  const hooked = exchange?.hooked?.changes ?? [];
  const adapted = exchange?.adapters?.changes ?? [];
  return hooked.length + adapted.length > 0 ? [...adapted, ...hooked] : undefined;
}

/** The text of an error may quote a body, an address or a variable; that of a refused access does not. */
function reasonOf(error: unknown): string {
  const known = asCleatError(error);
  return known.class === 'Forbidden' ? readable(known.message, longestReason) : known.class;
}

let lastMs = 0;
let lastText = '';

/** Requests that come together share it. */
function timeText(ms: number): string {
  if (ms !== lastMs) lastText = new Date(ms).toISOString();
  lastMs = ms;
  return lastText;
}

/** Most targets are in their one plain spelling already. */
const isPlain = /^\/[\w/.:-]*$/;

function uriOf(exchange: Exchange, match: Match<RouteShape>, isRerouted: boolean): string {
  const { url = '' } = exchange.request;
  if (!isRerouted && exchange.query.pairs.length === 0 && isPlain.test(url)) return shortened(url);
  const query = maskedQuery(exchange.query.pairs);
  return readable(shortened(`${exchange.prefix}${canonicalPath(match)}${query && `?${query}`}`));
}
