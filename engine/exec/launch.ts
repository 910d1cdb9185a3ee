import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachHandlers } from '@cleat/linux/conmon/attach';
import { type ExecRequest, type ExecSession, execInContainer } from '@cleat/linux/conmon/exec';
import { giveTerminal } from '@cleat/linux/conmon/terminal-owner';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { givingPipes } from '@cleat/linux/runtime/stdio-owner';
import { CleatError, invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import { ownerOnHost } from '../oci/remap.js';
import type { Exec } from './exec.js';

/** As Docker: a command that could not be started for an unknown reason counts as one that may not be executed. */
const cannotExecute = 126;

/**
 * Starts the process in a session directory of its own. Resolves when it runs.
 * @throws InvalidParameter in Docker's words, with `details.exitCode` 126 or 127; the exec has it too then
 */
export async function launch(
  exec: Exec,
  directory: string,
  consoleSize: { height: number; width: number } | undefined,
  handlers: AttachHandlers | undefined,
  onMonitor: ExecRequest['onMonitor'],
): Promise<ExecSession> {
  const { target, request } = exec;
  const tty = request.Tty === true;
  makeDirectories(directory, 0o700);
  exec.sessionDir = directory;
  const spec = await target.process({
    command: exec.command,
    user: request.User,
    env: request.Env ?? [],
    workingDir: request.WorkingDir,
    privileged: request.Privileged,
    tty,
    consoleSize,
  });
  // Some runtimes take it from wherever they are.
  if (!spec.cwd.startsWith('/'))
    throw refusal(systemError('OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown'));
  const processSpec = join(directory, 'process.json');
  writeFileSync(processSpec, stringify(spec), { mode: 0o600 });
  const user = ownerOnHost(target.owners, spec.user);
  try {
    const session = await execInContainer({
      conmonPath: target.conmonPath,
      id: target.id,
      ...(target.owners && !tty ? givingPipes(target.runtime, user) : target.runtime),
      sessionDir: directory,
      exitDir: directory,
      pidFile: join(directory, 'pid'),
      processSpec,
      command: spec.args[0],
      terminal: tty,
      stdin: request.AttachStdin === true && handlers !== undefined,
      leaveStdinOpen: tty,
      attach: handlers,
      onMonitor,
      signal: target.ended,
    });
    if (tty) giveTerminal(session.pid, user.uid);
    return session;
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw refusal(error);
  }
}

/** Docker's advice for every such error. */
const fileForDirectory =
  'Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type';

function refusal(error: unknown): CleatError {
  const text = messageOf(error);
  const lower = text.toLowerCase();
  // docker/cli derives its own exit code from these words.
  if (lower.includes('permission denied')) return invalidParameter(text, { cause: error, details: { exitCode: 126 } });
  if (lower.includes('is a directory')) {
    return invalidParameter(`${text}: permission denied`, { cause: error, details: { exitCode: 126 } });
  }
  if (lower.includes('not a directory')) {
    return invalidParameter(`${text}: ${fileForDirectory}`, { cause: error, details: { exitCode: cannotExecute } });
  }
  // Not the command is missing, but where it was to run.
  if (lower.includes('chdir to cwd')) return invalidParameter(text, { cause: error, details: { exitCode: 126 } });
  if (lower.includes('executable file not found') || lower.includes('no such file or directory')) {
    return invalidParameter(text, { cause: error, details: { exitCode: 127 } });
  }
  const errorClass = error instanceof CleatError ? error.class : 'System';
  return new CleatError(errorClass, text, { cause: error, details: { exitCode: cannotExecute } });
}

export function exitCodeOf(error: unknown): number {
  const code = error instanceof CleatError ? error.details?.exitCode : undefined;
  return typeof code === 'number' ? code : cannotExecute;
}
