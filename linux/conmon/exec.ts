import { Attach, type AttachHandlers } from './attach.js';
import { type MonitorRequest, monitorArguments, startedPid } from './create.js';
import { type ConmonProcess, spawnConmon, within } from './spawn.js';

export interface ExecRequest extends MonitorRequest {
  /** A directory of this session's own: conmon makes `attach` and `ctl` in it. */
  sessionDir: string;
  /** File with the OCI `process` object. */
  processSpec: string;
  /** Connect to the process's streams before it starts. */
  attach?: AttachHandlers;
  /**
   * Called before there is any output, with a function that stops conmon, so that the process waits as soon as it
   * prints more than a pipe holds, or lets it go on.
   */
  onMonitor?(freeze: (frozen: boolean) => void): void;
  /** Where conmon leaves an `oom` file. */
  persistDir?: string;
}

export interface ExecSession {
  /** The process's number on the host. */
  pid: number;
  conmonPid: number;
  /** Present when `attach` was asked for. */
  attach: Attach | undefined;
  /** The exit code; undefined when conmon was killed before it could tell. */
  exited: Promise<number | undefined>;
}

/**
 * Runs another process in a running container, under a conmon of its own. Resolves when the process runs.
 * @throws CleatError InvalidParameter (the command cannot be executed; `details.exitCode` 126 or 127), Conflict (the
 * container does not run), System, DeadlineExceeded, Cancelled
 */
export async function execInContainer(request: ExecRequest): Promise<ExecSession> {
  const args = [...monitorArguments(request, request.sessionDir), '--exec', '--exec-process-spec', request.processSpec];
  if (request.attach) args.push('--exec-attach');
  if (request.persistDir !== undefined) args.push('--persist-dir', request.persistDir);
  const conmon = spawnConmon({
    conmonPath: request.conmonPath,
    args,
    cwd: request.sessionDir,
    attach: request.attach !== undefined,
    env: request.env,
  });
  request.onMonitor?.(conmon.freeze);
  let attach: Attach | undefined;
  const begin = async (): Promise<number> => {
    if (request.attach && (await conmon.nextAttach())) {
      attach = await Attach.connect(request.sessionDir, request.attach);
      conmon.go();
    }
    return startedPid(conmon, 'exec', request.sessionDir, request.command);
  };
  try {
    const pid = await within(conmon, begin(), `exec in container ${request.id}`, {
      deadlineMs: request.deadlineMs ?? 60_000,
      signal: request.signal,
    });
    return { pid, conmonPid: await conmon.pid, attach, exited: exitCode(conmon) };
  } catch (error) {
    attach?.close();
    conmon.release();
    throw error;
  }
}

async function exitCode(conmon: ConmonProcess): Promise<number | undefined> {
  try {
    return (await conmon.nextSync())?.data;
  } finally {
    conmon.release();
  }
}
