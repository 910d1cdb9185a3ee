import { CleatError } from '@cleat/protocol/errors';
import { nearest } from '@cleat/protocol/nearest';

/** A mistake in a Dockerfile, and where it is. */
export class DockerfileFault extends CleatError {
  /** From 1; undefined where no line is to blame. */
  readonly line: number | undefined;

  constructor(message: string, line?: number, cause?: unknown) {
    super('InvalidParameter', message, cause === undefined ? {} : { cause });
    this.line = line;
  }
}

/** A fault that has no line yet: {@link atLine} adds it. */
export function fault(message: string): DockerfileFault {
  return new DockerfileFault(message);
}

/** Runs `work`, and gives faults without a line this one. */
export function atLine<T>(line: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw located(error, line);
  }
}

/** An error as a fault of that line; a fault that has a line keeps it. */
export function located(error: unknown, line: number): unknown {
  if (error instanceof DockerfileFault && error.line === undefined) {
    return new DockerfileFault(error.message, line, error);
  }
  return error;
}

/** Docker's way to end a message about a word that nobody knows: ` (did you mean RUN?)`. */
export function didYouMean(word: string, known: readonly string[], ignoreCase = false): string {
  const shape = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const near = nearest(shape(word), known.map(shape));
  if (near === undefined || near === shape(word)) return '';
  if (!ignoreCase) return ` (did you mean ${near}?)`;
  return ` (did you mean ${word === word.toUpperCase() ? near.toUpperCase() : near}?)`;
}
