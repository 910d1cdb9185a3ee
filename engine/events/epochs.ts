import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@cleat/linux/files/durable';
import { gone, invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

/**
 * The events of one opening of the journal. A number alone does not say which event is meant: a journal that lost its
 * end, or that was replaced by an older copy, gives numbers again. So a cursor names the epoch, too.
 */
interface Epoch {
  /** Random. */
  readonly id: string;
  /** Number of its first event. */
  readonly first: number;
  /** Number of the last event on disk before it. */
  readonly after: number;
  /** Events between `after` and `first` may have been told, and are not on disk. */
  readonly lost: boolean;
}

/** More than were told within the time that a power cut takes away, so that no number is given twice. */
const jump = 1_000_000;

export interface EpochsOptions {
  directory: string;
  log: Logger;
  /** Number of the newest event on disk; 0: none. */
  last: number;
  /** The last engine may have told events that are not on disk. */
  lost: boolean;
}

/** Which events were numbered when. */
export class Epochs {
  readonly #path: string;
  readonly #log: Logger;
  #list: Epoch[];
  /** Begins with the next event. */
  #coming: Epoch | undefined;
  #isSaved = false;

  constructor({ directory, log, last, lost }: EpochsOptions) {
    this.#path = join(directory, 'epochs.json');
    this.#log = log;
    this.#list = readEpochs(this.#path, log);
    const current = this.#list.at(-1);
    if (!current) {
      // All that there is, if anything: it has no cursors yet.
      this.#list = [{ id: newId(), first: 1, after: 0, lost: false }];
      this.#save();
      return;
    }
    const first = lost ? Math.max(last, current.first) + jump : last + 1;
    this.#coming = { id: newId(), first, after: last, lost };
  }

  /** Number of the next event. @param last of the newest one */
  next(last: number): number {
    return this.#coming?.first ?? last + 1;
  }

  /** The next event is about to be written. @param oldest number of the oldest event that is kept */
  begin(oldest: number): void {
    if (this.#coming) {
      // A cursor may be of the last event before the oldest.
      const kept = this.#list.filter((_, at) => (this.#list[at + 1]?.first ?? oldest) >= oldest - 1);
      this.#list = [...kept, this.#coming];
      this.#coming = undefined;
      this.#isSaved = false;
    }
    if (!this.#isSaved) this.#save();
  }

  /** Names the place after an event in the order. */
  cursorOf(seq: number): string {
    return cursorText(this.#epochOf(seq), seq);
  }

  /** Names the place before an event, in the event's own epoch. */
  cursorBefore(seq: number): string {
    return cursorText(this.#epochOf(seq), seq - 1);
  }

  /** Whether an event was written that was going to have this number. */
  holds(seq: number, last: number): boolean {
    return seq > 0 && seq <= (this.#after(this.#epochOf(seq))?.after ?? last);
  }

  /** Whether events may have been told between these that are not on disk; nobody knows how many. */
  hasLossBetween(from: number, to: number): boolean {
    return this.#list.some(({ first, lost }) => lost && first > from && first <= to);
  }

  /** How many numbers from `from` on were never given to an event. */
  skipped(from: number): number {
    return this.#list.reduce((sum, { first, after }) => sum + (first > from ? first - after - 1 : 0), 0);
  }

  /**
   * The number of the first event after a cursor.
   * @throws InvalidParameter for what is no cursor; Gone for one that names a place which this journal does not have
   */
  following(cursor: string, { first, last }: { first: number; last: number }): number {
    const [, id, digits] = /^([\w-]{8})\.(\d{1,16})$/.exec(cursor) ?? [];
    if (id === undefined) throw invalidParameter(`invalid value for "cursor": '${cursor}' is no cursor of events`);
    const epoch = this.#list.find((one) => one.id === id);
    const seq = Number(digits);
    if (!epoch) throw gone(`the cursor '${cursor}' is not of this engine's events, or too old: list again`);
    const next = this.#after(epoch);
    const isAhead = seq > (next?.after ?? last) && !next?.lost;
    if (seq < epoch.first - 1 || isAhead) {
      throw gone(`this engine has no event '${cursor}': its data are not those that the cursor is of; list again`);
    }
    if (seq + 1 < first) throw gone(`events since '${cursor}' are no longer kept: list again`);
    return seq + 1;
  }

  #epochOf(seq: number): Epoch {
    const epoch = this.#list.findLast(({ first }) => first <= seq) ?? this.#list[0];
    if (!epoch) throw new Error('a journal has an epoch');
    return epoch;
  }

  #after(epoch: Epoch): Epoch | undefined {
    return this.#list[this.#list.indexOf(epoch) + 1] ?? this.#coming;
  }

  #save(): void {
    try {
      writeFileDurably(this.#path, `${JSON.stringify(this.#list)}\n`);
      this.#isSaved = true;
    } catch (error) {
      // Tried again with the next event. Until then the next engine refuses its cursors, and clients list again.
      this.#log.debug(`cursors of events are not on disk yet: ${messageOf(error)}`);
    }
  }
}

const newId = (): string => randomBytes(6).toString('base64url');

const cursorText = ({ id }: Epoch, seq: number): string => `${id}.${seq}`;

function readEpochs(path: string, log: Logger): Epoch[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // A new journal, or one of an engine that had no cursors.
    return [];
  }
  try {
    const list = JSON.parse(text) as Epoch[];
    const isWhole = list.every((one) => typeof one.id === 'string' && Number.isSafeInteger(one.first + one.after));
    if (isWhole) return list;
  } catch {
    // Said below.
  }
  log.warn(`${path} is damaged: cursors of events that clients hold are refused, so that they list again`);
  return [];
}
