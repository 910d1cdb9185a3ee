import { setTimeout as sleep } from 'node:timers/promises';
import { activatePath } from '@cleat/protocol/dispatch';
import { type CleatError, deadlineExceeded, isClass, messageOf, unavailable } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';
import { type Carrier, TransportError } from './carriers/carrier.js';
import { withDeadline } from './deadline.js';
import type { Place, Source } from './source.js';

const Manifest = Type.Object({ Implements: Type.Array(Type.String()) });

/** An extension that has just started answers this in milliseconds. */
const handshakeMs = 10_000;

/** How often it is asked again when the connection broke: it may have been dying while its successor starts. */
const maxBroken = 2;

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
  wasActive: boolean;
  signal: AbortSignal;
  /** Called after each attempt that found nobody, with what an impatient caller is told. */
  onAbsent: (error: CleatError) => void;
}

/**
 * Finds, opens and activates an extension. While nobody is there, it tries again: within the first second quickly, which helps one that is
 * just starting, then after 1, 2, 4 … s as Docker does, within the source's patience. An extension that is there and
 * answers wrongly is not asked again.
 * @throws Unavailable with the reason
 */
export async function activate(options: ActivateOptions): Promise<Link> {
  const { name, source, wasActive, signal, onAbsent } = options;
  const giveUpAt = Date.now() + source.patienceMs(wasActive);
  let pauseMs = 25;
  let broken = 0;
  for (;;) {
    let reason: string;
    const place = source.locate();
    if (place) {
      try {
        return await open(name, place, signal);
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        if (!error.absent && ++broken > maxBroken) {
          throw unavailable(`plugin "${name}" cannot be activated: ${error.message}`, { cause: error });
        }
        reason = error.message;
      }
    } else {
      reason = 'its socket is gone';
    }
    const absent = unavailable(`plugin "${name}" does not answer: ${reason}`);
    onAbsent(absent);
    const leftMs = giveUpAt - Date.now();
    if (leftMs <= 0) throw absent;
    await sleep(Math.min(pauseMs, leftMs), undefined, { signal });
    pauseMs = pauseMs < 500 ? pauseMs * 2 : Math.min(Math.max(pauseMs * 2, 1000), 8000);
  }
}

async function open(name: string, place: Place, signal: AbortSignal): Promise<Link> {
  const carrier = await place.open();
  try {
    const reply = await withDeadline(
      handshakeMs,
      signal,
      () => deadlineExceeded(`plugin "${name}" did not answer Plugin.Activate within ${handshakeMs / 1000} s`),
      (inner) => carrier.call(activatePath, '{}', inner),
    );
    if (reply.status !== 200) {
      throw unavailable(`plugin "${name}" answered Plugin.Activate with status ${reply.status}: ${reply.text.trim()}`);
    }
    return { place, carrier, kinds: implemented(name, reply.text) };
  } catch (error) {
    await carrier.close();
    throw error;
  }
}

function implemented(name: string, text: string): readonly string[] {
  try {
    return decode(Manifest, parseJson(text), 'Plugin.Activate').Implements;
  } catch (cause) {
    const why = isClass(cause, 'InvalidParameter') ? messageOf(cause) : 'the answer is not JSON';
    throw unavailable(`plugin "${name}" cannot be activated: ${why}`, { cause });
  }
}
