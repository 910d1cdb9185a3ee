import { stringify } from '@cleat/protocol/json';
import { readable } from '@cleat/protocol/untrusted';
import type { Answer } from './wire.js';

/** One call and what became of it. */
export interface Said extends Answer {
  /** For example `VolumeDriver.Mount`, or `GET /`. */
  readonly call: string;
  /** As it was sent: a message of the contract, or raw text. */
  readonly request: unknown;
}

const shownCharacters = 1_000;

/** A call as a line for people. */
export function requestText({ call, request }: Said): string {
  const text = typeof request === 'string' ? request : stringify(request);
  return `${call} ${readable(text, shownCharacters)}`.trimEnd();
}

export function answerText({ status, text, failure }: Said): string {
  return failure === '' ? `${status} ${readable(text.trim(), shownCharacters) || '(empty)'}` : readable(failure);
}

/** A plugin did not do what was expected; thrown by a case. */
export class Finding extends Error {
  /** The call that shows it, if it was one. */
  readonly said: Said | undefined;
  /** A phrase: what was expected. */
  readonly expected: string;
  /** A phrase where the answer alone does not tell: what was found instead. */
  readonly found: string | undefined;

  constructor(expected: string, said?: Said, found?: string) {
    const but = found ?? (said ? answerText(said) : 'it was not so');
    super(`${said ? `${requestText(said)}: ` : ''}expected ${expected}, but ${said && !found ? 'got ' : ''}${but}`);
    this.name = 'Finding';
    this.said = said;
    this.expected = expected;
    this.found = found;
  }
}
