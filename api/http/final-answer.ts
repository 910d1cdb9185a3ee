import type { Answer } from './answer.js';

/** Thrown where a request is answered by somebody else's error, which goes to the client as it is. */
export class FinalAnswer extends Error {
  constructor(readonly answer: Answer) {
    super(`answered with status ${answer.status}`);
  }
}
