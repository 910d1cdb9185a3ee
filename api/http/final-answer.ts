import type { Verdict } from '@cleat/protocol/verdict';
import type { Answer } from './answer.js';

/** Thrown where a request is answered by somebody else's error, which goes to the client as it is. */
export class FinalAnswer extends Error {
  constructor(
    readonly answer: Answer,
    readonly verdict: Verdict,
  ) {
    super(`answered with status ${answer.status}`);
  }
}
