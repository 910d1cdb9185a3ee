import type { Builds } from '@cleat/engine/build/service';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import type { Result } from '../control/job.js';
import { typed } from './failure.js';

/** The question that a check of the file is: it is told which files are left out. */
export const lintQuestion = 'frontend.lint';

/**
 * Has a question about a Dockerfile answered, which clients ask instead of building it (moby/buildkit
 * `frontend/subrequests`).
 * @throws StatusError for a question that nobody answers here; the builder's errors
 */
export async function answerQuestion(
  builds: Pick<Builds, 'ask'>,
  question: Parameters<Builds['ask']>[0],
  signal: AbortSignal,
): Promise<Result> {
  try {
    const answer = await builds.ask(question, signal);
    return { metadata: new Map([...answer].map(([name, text]) => [name, Buffer.from(text)])) };
  } catch (error) {
    if (!isClass(error, 'NotImplemented')) throw error;
    // Clients write before it that the request is not supported.
    const message = `${messageOf(error)}; or ask a builder of its own (docker buildx create)`;
    throw new StatusError(code.unknown, message, [typed('errdefs.Subrequest', { name: question.Question })]);
  }
}
