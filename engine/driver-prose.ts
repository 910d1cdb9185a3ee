import { absenceOf } from '@cleat/extensions/absence';
import { CleatError, isClass, messageOf } from '@cleat/protocol/errors';

/**
 * Reads the texts of drivers. Docker's plugin protocols have no error classes: a driver says in words of its own that
 * it does not know a volume, lost a network, or has no address left. All that the engine reads out of such words is
 * here, and `driver-prose.test.ts` has texts of real drivers. A wrong guess must be the harmless one, see each
 * function.
 */
const missing = /not found|not known|no such|n[o']t exist|cannot find|can't find|could not find/i;
const unknown = /unknown|no (?:network|endpoint) exists|not mounted/i;
/** Something else is missing: the host lacks a program or a device, or the driver cannot reach what is behind it. */
const elsewhere =
  /no such (?:host|device)|(?:executable file|command|server|host) not found|unknown (?:error|host|authority|certificate|response)/i;
/** Only when it is about a network or a pool: drivers call an ID that they do not know invalid, too. */
const lost = /invalid/i;
const ofNetwork = /network|pool/i;
const exhausted = /out of range|no available|no more/i;

/**
 * Whether a driver does not know what a call would give back: then there is nothing left to do. Where it is not sure,
 * the call is made again, which costs little.
 */
export function saysUnknown(error: unknown): boolean {
  if (isClass(error, 'NotFound')) return true;
  const said = messageOf(error);
  return (missing.test(said) || unknown.test(said)) && !elsewhere.test(said);
}

/**
 * Whether a driver has no volume of that name. Docker takes every error for it and forgets the volume's labels when a
 * back end merely has a bad moment. Where it is not sure, the driver's list is asked.
 */
export function saysNoSuchVolume(error: unknown): boolean {
  if (isClass(error, 'NotFound')) return true;
  if (!isClass(error, 'System')) return false;
  return (
    /unknown volume|\b404\b/i.test(error.message) || (missing.test(error.message) && !elsewhere.test(error.message))
  );
}

/**
 * Whether a driver has lost a network or a pool that it was told of. Where it is not sure, the user has its error; a
 * driver that is told again what it knows refuses, and nothing is lost.
 */
export function saysLostState(error: unknown): boolean {
  if (!(error instanceof CleatError) || absenceOf(error)) return false;
  const said = error.message.replace(/^\w+Driver\.\w+: /, '');
  if (!ofNetwork.test(said) || elsewhere.test(said)) return false;
  return missing.test(said) || unknown.test(said) || lost.test(said);
}

/** Whether a pool has no address left, so that another pool is asked. Where it is not sure, the user has its error. */
export function saysExhausted(error: unknown): boolean {
  return exhausted.test(messageOf(error));
}
