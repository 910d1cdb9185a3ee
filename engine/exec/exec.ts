import type { Attach } from '@cleat/linux/conmon/attach';
import type { ExecCreateRequest, ExecInspect } from '@cleat/protocol/api/container';
import type { ExecTarget } from '../oci/exec-target.js';
import { parseDetachKeys } from '../streams/detach-keys.js';

/** One exec instance, from its creation until it is forgotten; in memory only, as under Docker. */
export interface Exec {
  readonly id: string;
  readonly target: ExecTarget;
  readonly request: ExecCreateRequest;
  readonly command: string[];
  /** `sh -c true`, as events name it; as in Docker's, a blank follows a command without arguments. */
  readonly title: string;
  state: 'created' | 'running' | 'exited';
  pid: number;
  exitCode: number | undefined;
  attach: Attach | undefined;
  /** Directory of its own conmon; undefined before it starts. */
  sessionDir: string | undefined;
  /** Called when the container ends. */
  readonly onTargetEnd: () => void;
}

export function inspectExec(exec: Exec): ExecInspect {
  const { request } = exec;
  const [entrypoint = '', ...args] = exec.command;
  return {
    ID: exec.id,
    Running: exec.state === 'running',
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: request.Tty === true,
      entrypoint,
      arguments: args,
      privileged: request.Privileged === true,
      ...(request.User ? { user: request.User } : {}),
    },
    OpenStdin: request.AttachStdin === true,
    OpenStderr: request.AttachStderr === true,
    OpenStdout: request.AttachStdout === true,
    CanRemove: false,
    ContainerID: exec.target.id,
    // The bytes that are waited for, as Go's JSON has bytes.
    DetachKeys: request.DetachKeys ? Buffer.from(parseDetachKeys(request.DetachKeys)).toString('base64') : '',
    Pid: exec.pid,
  };
}
