import { type Answered, addressIn, DatagramBatch, type Received } from '@cleat/linux/syscall/datagram-batch';
import { setImmediate } from '@cleat/protocol/guard';
import type { Allowance } from './allowance.js';
import { ownAnswer, type Resolver } from './answer.js';
import { readQuery } from './message.js';

/** Questions of one container that are answered in one go, before others have their turn. */
const atOnce = 64;
/** Bytes: a longer question is refused, and a longer answer sent by itself. */
const longest = { received: 4097, sent: 1472 };

export interface Sender {
  readonly address: string;
  readonly port: number;
}

export interface Drained {
  readonly resolver: Resolver;
  readonly allowance: Allowance;
  /** Answers a question by itself: others are to be asked about it, or its answer did not go out. */
  later(message: Buffer, from: Sender): void;
}

/** All servers' one: it is used without a pause. */
let batch: DatagramBatch | undefined;

/**
 * Under load many questions wait when Node tells of one. Those that are about our own containers are answered at once, by
 * two system calls in all: twice as many a second.
 * @param fd of a socket that has a question
 * @returns to be called when it has, as long as it is open
 */
export function drainOf(fd: number, { resolver, allowance, later }: Drained): () => void {
  if (!DatagramBatch.isPossible) return () => {};
  let isDone = false;
  return () => {
    // Once in a turn of the event loop.
    if (isDone) return;
    isDone = true;
    setImmediate(() => {
      isDone = false;
    });
    batch ??= new DatagramBatch(atOnce, longest);
    const asked: Received[] = [];
    const answers: Answered[] = [];
    for (const question of batch.receive(fd)) {
      if (!allowance.spend()) continue;
      const message = answerAtOnce(question.message, resolver);
      if (!message) {
        later(Buffer.from(question.message), addressIn(question.from));
        continue;
      }
      asked.push(question);
      answers.push({ message, to: question.from });
    }
    for (let sent = 0; sent < answers.length; ) {
      const more = batch.send(fd, answers.slice(sent));
      const failed = asked[sent];
      if (more === 0 && failed) later(Buffer.from(failed.message), addressIn(failed.from));
      sent += Math.max(more, 1);
    }
  };
}

function answerAtOnce(message: Buffer, resolver: Resolver): Buffer | undefined {
  try {
    const query = readQuery(message);
    return 'refused' in query ? query.refused : ownAnswer(query, resolver, 'datagram');
  } catch {
    // The slower way says what is wrong.
    return undefined;
  }
}
