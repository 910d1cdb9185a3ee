import type { ExecCreateRequest, ExecInspect, ExecStartRequest } from '@cleat/protocol/api/container';
import type { AttachSession, TerminalSize } from '../streams/service.js';

/** Further processes in running containers. */
export interface Execs extends ExecRunner {
  /** @throws NotFound (container), Conflict (not running, paused), InvalidParameter (no command) */
  create(containerRef: string, request: ExecCreateRequest): Promise<{ Id: string }>;
  /**
   * Starts it. Detached: resolves with undefined once it runs. Otherwise the session ends with the process, and `begin`
   * is awaited when all is checked and nothing runs yet: the client gets the head of its answer before any output.
   * @throws NotFound `No such exec instance: X`, Conflict (has run already), and the runtime's refusal (126/127 in inspect)
   */
  start(
    id: string,
    request: ExecStartRequest,
    begin?: (tty: boolean) => Promise<void>,
  ): Promise<AttachSession | undefined>;
  inspect(id: string): Promise<ExecInspect>;
  /** The ID of its container; undefined: there is no such exec. */
  containerOf(id: string): string | undefined;
  resize(id: string, size: TerminalSize): Promise<void>;
  /** Clears what an earlier engine left; running sessions of ours end with it. */
  recover(): Promise<void>;
}

export interface RunOptions {
  env?: string[];
  user?: string;
  workingDir?: string;
  signal: AbortSignal;
  /** The process runs; what the runtime took until then is not its time. */
  onStarted?(): void;
  onOutput(data: Uint8Array): void;
}

/** Runs a command in a container to its end, as health checks do. */
export interface ExecRunner {
  /**
   * Runs to its end, with the exit code. When `signal` aborts, it is killed together with what it started and left in
   * its session, and the promise is rejected as soon as it is gone (or will not go: a few seconds later).
   * Events exec_create, exec_start, exec_die as for any exec.
   */
  run(containerId: string, command: string[], options: RunOptions): Promise<{ exitCode: number }>;
}
