import { posix } from 'node:path';
import type { BuildFailure } from '@cleat/engine/build/service';
import { asCleatError } from '@cleat/protocol/errors';
import { code, type Detail, StatusError } from '@cleat/protocol/grpc/status';

/**
 * The error of a build with the place in the Dockerfile, which clients show with the lines around it. A typed detail of
 * BuildKit's (moby/buildkit `solver/errdefs`) is JSON.
 */
export function buildError(error: unknown, dockerfile: { name: string; text: string }): Error {
  const known = asCleatError(error);
  if (known.class === 'Cancelled' || error instanceof StatusError) return known;
  const { line } = (known.details ?? {}) as BuildFailure;
  const details: Detail[] = [];
  if (line !== undefined) {
    const info = { filename: dockerfile.name, data: Buffer.from(around(dockerfile.text, line)).toString('base64') };
    details.push(typed('errdefs.Source', { info, ranges: [{ start: { line }, end: { line } }] }));
  }
  const message = asBuildKitSays(known.message);
  return new StatusError(code.unknown, message, details, { cause: error });
}

/** Bytes of text that is sent whole. */
const maxWhole = 8 * 1024;
/** The part of a longer text that is sent: lines around the error, cut. The other lines are empty, so that numbers stay. */
const maxShown = { lines: 10, characters: 200 };

function around(text: string, line: number): string {
  if (Buffer.byteLength(text) <= maxWhole) return text;
  const lines = text.split('\n').slice(0, line + maxShown.lines);
  return lines
    .map((one, index) => (Math.abs(index + 1 - line) <= maxShown.lines ? one.slice(0, maxShown.characters) : ''))
    .join('\n');
}

/** The same error in the words of BuildKit's clients and their users. */
export function asBuildKitSays(message: string): string {
  const [, command, exitCode] = /^The command '(.*)' returned a non-zero code: (\d+)/s.exec(message) ?? [];
  const [, path] =
    /^(?:COPY|ADD) failed: file not found in build context .*: stat (.*): file does not exist$/s.exec(message) ?? [];
  if (path !== undefined) {
    return `failed to compute cache key: failed to calculate checksum of ref context: ${JSON.stringify(posix.join('/', path))}: not found`;
  }
  return command === undefined ? message : `process "${command}" did not complete successfully: exit code: ${exitCode}`;
}

export function typed(name: string, value: unknown): Detail {
  return { typeUrl: `github.com/moby/buildkit/${name}+json`, value: Buffer.from(JSON.stringify(value)) };
}
