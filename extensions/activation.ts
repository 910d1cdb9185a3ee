import { setTimeout as sleep } from 'node:timers/promises';
import { type Reply, readReply } from '@cleat/protocol/answer';
import { Backoff } from '@cleat/protocol/async/backoff';
import { Deadline } from '@cleat/protocol/async/deadline';
import { activatePath } from '@cleat/protocol/dispatch';
import { CleatError, deadlineExceeded, isClass, messageOf, unavailable } from '@cleat/protocol/errors';
import type { Contract } from '@cleat/protocol/kinds/kind';
import Type, { type Static } from '@cleat/protocol/schema';
import { readable } from '@cleat/protocol/untrusted';
import { type Carrier, TransportError } from './carriers/carrier.js';
import type { Place, Source } from './source.js';

const Activation = Type.Object({ Implements: Type.Array(Type.String()) });
type Activation = Static<typeof Activation>;

/** How any extension is asked what it implements, in the form of a kind. An extension that has just started answers in milliseconds. */
const handshake = {
  name: 'Plugin',
  errorKey: 'Err',
  methods: {
    Activate: { request: Type.Object({}), response: Activation, deadlineMs: 10_000, idempotent: true },
  },
} as const satisfies Contract;
const activation = activatePath.slice(1);
const handshakeMs = handshake.methods.Activate.deadlineMs;

/** How often it is asked again when the connection broke: it may have been dying while its successor starts. */
const maxBroken = 2;
const pauses = { firstMs: 25, longestMs: 8_000 };
/** A process that the engine starts is there soon; a look costs next to nothing. */
const startingPauses = { firstMs: 10, longestMs: 20 };

/** An activated way to an extension. */
export interface Link {
  readonly place: Place;
  readonly carrier: Carrier;
  /** Capability names. */
  readonly kinds: readonly string[];
}

export interface ActivateOptions {
  name: string;
  source: Source;
  /** Capability names that it has to implement. */
  promised: readonly string[];
  /** How long one that is not there is waited for; asked again each time. */
  waitUntil: () => number;
  signal: AbortSignal;
  /** Called after each attempt that found nobody, with what an impatient caller is told. */
  onAbsent: (error: CleatError) => void;
}

/**
 * Finds, opens and activates an extension. While nobody is there, it tries again: within the first second quickly, which
 * helps one that is just starting, then after some seconds as Docker does, until the time is over. An extension that is there and
 * answers wrongly is not asked again.
 * @throws Unavailable with the reason
 */
export async function activate(options: ActivateOptions): Promise<Link> {
  const { name, source, promised, waitUntil, signal, onAbsent } = options;
  const backoff = new Backoff(source.process ? startingPauses : pauses);
  let broken = 0;
  for (;;) {
    let reason: string;
    const place = source.locate();
    if (place) {
      try {
        return await open(name, place, promised, signal);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        if (error.fault === 'misbehaving') {
          throw unavailable(`plugin "${name}" answered ${activation} with ${error.message}`, { cause: error });
        }
        if (error.fault === 'broken' && ++broken > maxBroken) {
          throw unavailable(`plugin "${name}" cannot be activated: ${error.message}`, { cause: error });
        }
        reason = `${error.message}${formerEnd(source)}`;
      }
    } else {
      reason = 'its socket is gone';
    }
    const absent = unavailable(`plugin "${name}" does not answer: ${reason}`);
    onAbsent(absent);
    const leftMs = waitUntil() - Date.now();
    if (leftMs <= 0) throw absent;
    await pause(options, backoff);
  }
}

/** Until another attempt is worth its cost: several may be starting, and the processors are theirs. */
async function pause({ source, waitUntil, signal }: ActivateOptions, backoff: Backoff): Promise<void> {
  const missing = source.missing?.();
  do {
    const leftMs = waitUntil() - Date.now();
    if (leftMs <= 0) return;
    await sleep(Math.min(backoff.next(), leftMs), undefined, { signal });
  } while (missing !== undefined && source.missing?.() === missing);
}

/** A process that runs again and does not listen yet may die as the one before did. */
function formerEnd(source: Source): string {
  const { pid, lastEnd } = source.process?.() ?? {};
  return pid !== undefined && lastEnd ? `, and its process ended before (${lastEnd})` : '';
}

async function open(name: string, place: Place, promised: readonly string[], signal: AbortSignal): Promise<Link> {
  const carrier = await openCarrier(name, place);
  try {
    const late = () => deadlineExceeded(`plugin "${name}" did not answer ${activation} within ${handshakeMs / 1000} s`);
    signal.throwIfAborted();
    using deadline = new Deadline({ ms: handshakeMs, signal, late });
    const reply = await carrier.call(activatePath, '{}', deadline);
    // Docker never asks a managed plugin what it implements: its manifest says so. Some do not know the question.
    if (reply.status === 404 && promised.length > 0) return { place, carrier, kinds: promised };
    const kinds = implemented(name, reply);
    const missing = promised.filter((kind) => !kinds.includes(kind));
    if (missing.length > 0) {
      throw unavailable(
        `plugin "${name}" does not implement ${missing.join(', ')}, as its manifest promises (it implements ${kinds.join(', ') || 'nothing'})`,
      );
    }
    return { place, carrier, kinds };
  } catch (error) {
    await carrier.close();
    if (error instanceof CleatError || error instanceof TransportError) throw error;
    // Certificates that cannot be read as such, for example.
    throw unavailable(`plugin "${name}" cannot be used: ${readable(messageOf(error), 300)}`, { cause: error });
  }
}

async function openCarrier(name: string, place: Place): Promise<Carrier> {
  try {
    return await place.open();
  } catch (cause) {
    if (cause instanceof TransportError) throw cause;
    const errorClass = cause instanceof CleatError ? cause.class : 'Unavailable';
    throw new CleatError(errorClass, `plugin "${name}" cannot be used: ${messageOf(cause)}`, { cause });
  }
}

/** Docker's kinds and ours are a dozen; what is longer than their names is none. */
const longestName = 64;

/** @throws Unavailable */
function implemented(name: string, reply: Reply): readonly string[] {
  try {
    const { Implements } = readReply(name, handshake, 'Activate', handshake.methods.Activate, reply) as Activation;
    return Implements.filter((kind) => kind.length <= longestName && readable(kind) === kind);
  } catch (cause) {
    // It cannot be used now, no matter what it says of itself.
    const why = messageOf(cause);
    throw unavailable(isClass(cause, 'System') ? `plugin "${name}" cannot be activated: ${why}` : why, { cause });
  }
}
