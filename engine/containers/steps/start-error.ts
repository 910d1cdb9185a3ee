import { CleatError, invalidParameter, messageOf } from '@cleat/protocol/errors';

const prefix = 'failed to create task for container: failed to create shim task: ';

/**
 * A failed start as Docker tells it (moby `daemon/errors.go` setExitCodeFromError): the CLI derives its own exit code
 * from the text, and inspect shows the container's.
 */
export function startError(error: unknown): { error: unknown; exitCode: number } {
  const text = messageOf(error);
  if (!text.startsWith('OCI runtime')) return { error, exitCode: 128 };
  const lower = text.toLowerCase();
  const refuse = (exitCode: number, more = '') => ({
    error: invalidParameter(`${prefix}${text}${more}`, { cause: error, details: { exitCode } }),
    exitCode,
  });
  if (lower.includes('permission denied')) return refuse(126);
  // docker/cli looks for this text to exit with 126.
  if (lower.includes('is a directory')) return refuse(126, ': permission denied');
  if (lower.includes('not a directory')) {
    return refuse(
      127,
      ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type',
    );
  }
  if (lower.includes('executable file not found') || lower.includes('no such file or directory')) return refuse(127);
  return { error: new CleatError('System', `${prefix}${text}`, { cause: error }), exitCode: 128 };
}
