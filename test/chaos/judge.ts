import { type ApiAnswer, Hang, isAbsence } from './client.js';
import { type Kind, type Operation, type Schedule, textOfOperation } from './schedule.js';

/** The result of one operation. */
export interface Outcome {
  readonly operation: Operation;
  /** ms after the schedule's beginning. */
  readonly began: number;
  readonly ended: number;
  readonly result: ApiAnswer | Error;
}

export interface Circumstances {
  readonly schedule: Schedule;
  /** Which of those that suffer an operation needs. */
  needs(operation: Operation): readonly Kind[];
  /** The driver's name, as errors say it. */
  nameOf(kind: Kind): string;
}

/**
 * Says what is wrong with an outcome. Nothing is wrong if it succeeded; if it failed because of another client, or
 * because an extension that it needed suffered, and names it; or if the engine was killed.
 */
export function complaintAbout(outcome: Outcome, circumstances: Circumstances): string | undefined {
  const { operation, result } = outcome;
  const { faults } = circumstances.schedule;
  const wrong = (why: string) => `${textOfOperation(operation)} ${why}: ${textOfResult(result)}`;
  const engineDied = faults.some(({ victims }) => victims.includes('engine'));
  if (result instanceof Hang) return wrong('hung');
  if (result instanceof Error) {
    return engineDied && isAbsence(result) ? undefined : wrong('broke off, and the engine was not killed');
  }
  if (result.status < 400) return undefined;
  if (isConsequence(result)) return undefined;
  const needed = circumstances.needs(operation);
  const suffered = needed.filter((kind) => faults.some(({ victims }) => victims.includes(kind)));
  if (suffered.length === 0) {
    // A process that died may have left half of it.
    return wrong(`failed, and nothing that it needs suffered (it needs ${needed.join(', ') || 'nothing'})`);
  }
  if (suffered.some((kind) => result.text.includes(circumstances.nameOf(kind)))) return undefined;
  // The engine passes on a plugin's own message in Docker's form: the call, and its words.
  if (/(VolumeDriver|NetworkDriver|IpamDriver|LogDriver)\.\w+: \S/.test(result.text)) return undefined;
  return wrong(`failed without naming ${suffered.map((kind) => circumstances.nameOf(kind)).join(' or ')}`);
}

/** Other clients, and an operation that failed before, have consequences: what is named is not there, or busy. */
function isConsequence({ status, text }: ApiAnswer): boolean {
  if (status === 404) {
    return /no such container|no such volume|network \S+ not found|is not connected to (the )?network|no such exec/i.test(
      text,
    );
  }
  if (status === 409) {
    return /is already in use by container|is not running|volume is in use|already exists|in progress|marked for removal|is paused|is restarting|is running: stop the container/i.test(
      text,
    );
  }
  if (status === 500 && /was stopped: (the caller went away|the container is being removed)/.test(text)) return true;
  // Docker's status for it.
  if (status === 500 && /^\{"message":"container \S+ is not connected to (the )?network /.test(text)) return true;
  if (status === 400 && /cannot be connected to multiple networks/.test(text)) return true;
  return status === 403 && /has active endpoints|already exists in network/i.test(text);
}

export function textOfResult(result: ApiAnswer | Error): string {
  return result instanceof Error ? result.message : `${result.status} ${result.text.trim().slice(0, 600)}`;
}

/** Tells what happened, for the reader of a failure. */
export function textOfOutcome(outcome: Outcome): string {
  const { operation, began, ended, result } = outcome;
  const brief = result instanceof Error || result.status >= 400 ? textOfResult(result) : result.status;
  return `  ${began}–${ended} ms ${textOfOperation(operation)}: ${brief}`;
}
