import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { CleatError } from '@cleat/protocol/errors';
import { runtimeError } from '../runtime/errors.js';
import { type ConmonProcess, spawnConmon, within } from './spawn.js';

/** Arguments of every conmon, be it for a container or for an exec session. */
export interface MonitorRequest {
  conmonPath: string;
  /** The container. */
  id: string;
  /** The program that starts the runtime (`OciRuntime.command`), as an absolute path. */
  runtimePath: string;
  /** Arguments before the runtime's subcommand. */
  runtimeArgs: readonly string[];
  /** How the runtime is to write its log. */
  logFormat: 'json' | 'text';
  /** Directory for the exit file, which is named by the container's id. For an exec: one of its own per session. */
  exitDir: string;
  /** Where the runtime writes the process number. */
  pidFile: string;
  /** A k8s-file log (see CRI's log format); without it nothing is kept. */
  logPath?: string;
  /** Bytes of the log after which conmon puts a new, empty one in its place. Default: none. */
  logSizeMax?: number;
  terminal: boolean;
  /** Give the process a stdin that attached clients write to; else it reads /dev/null. */
  stdin: boolean;
  /** Stdin survives the end of an attached client. Then half-close never reaches the process. */
  leaveStdinOpen: boolean;
  /** Milliseconds until the process must be there. Default 60,000. */
  deadlineMs?: number;
  signal?: AbortSignal;
  /** The command, for the words of a failure. */
  command?: string;
  /** Added to the environment of conmon and the runtime (not of the container). */
  env?: Readonly<Record<string, string>>;
}

export interface CreateRequest extends MonitorRequest {
  /** The OCI bundle: `config.json`; conmon makes `attach` and `ctl` in it. */
  bundle: string;
  /** Directory where conmon leaves `exit` and `oom`. */
  persistDir: string;
  /** conmon writes it before the runtime is done, so that an engine that dies meanwhile finds its conmon again. */
  conmonPidFile: string;
}

export interface MonitoredContainer {
  /** The container's first process, on the host. */
  pid: number;
  conmonPid: number;
  /** Settles when conmon has ended; the exit file is there by then, unless conmon was killed. */
  ended: Promise<void>;
}

/** The runtime logs to a file, as under containerd: of its stderr conmon passes on no more than 8 KiB. */
const runtimeLog = (bundle: string): string => join(bundle, 'runtime.log');

/** Options that create and exec share. */
export function monitorArguments(request: MonitorRequest, bundle: string): string[] {
  const args = ['--api-version', '1', '--full-attach', '--no-sync-log', '--log-level', 'error'];
  args.push('--cid', request.id, '--cuuid', request.id, '--bundle', bundle);
  args.push('--container-pidfile', request.pidFile, '--exit-dir', request.exitDir);
  args.push('--log-path', request.logPath === undefined ? 'none' : `k8s-file:${request.logPath}`);
  if (request.logSizeMax !== undefined) args.push('--log-size-max', String(request.logSizeMax));
  args.push('--runtime', request.runtimePath);
  for (const arg of [...request.runtimeArgs, `--log=${runtimeLog(bundle)}`, `--log-format=${request.logFormat}`])
    args.push(`--runtime-arg=${arg}`);
  if (request.terminal) args.push('--terminal');
  if (request.stdin) args.push('--stdin');
  if (request.leaveStdinOpen) args.push('--leave-stdin-open');
  return args;
}

/**
 * Creates a container under a conmon of its own; `OciRuntime.start` then runs its process. Attach before that and no
 * output is missed.
 * @throws CleatError InvalidParameter (the command cannot be executed; `details.exitCode` 126 or 127), System (what
 * the runtime said), DeadlineExceeded, Cancelled, Unavailable (no conmon)
 */
export async function createContainer(request: CreateRequest): Promise<MonitoredContainer> {
  const args = [...monitorArguments(request, request.bundle), '--persist-dir', request.persistDir];
  const conmon = spawnConmon({
    conmonPath: request.conmonPath,
    args,
    cwd: request.bundle,
    attach: false,
    daemonPidFile: request.conmonPidFile,
    env: request.env,
  });
  const begin = async () => ({
    conmonPid: await conmon.pid,
    pid: await startedPid(conmon, 'create', request.bundle, request.command),
  });
  try {
    const pids = await within(conmon, begin(), `creating container ${request.id}`, {
      deadlineMs: request.deadlineMs ?? 60_000,
      signal: request.signal,
    });
    return { ...pids, ended: conmon.ended };
  } finally {
    conmon.release();
  }
}

/** The process number that conmon reports; what it reports instead is the runtime's failure. */
export async function startedPid(
  conmon: ConmonProcess,
  action: string,
  bundle: string,
  command?: string,
): Promise<number> {
  const message = await conmon.nextSync();
  if (message && message.data > 0) return message.data;
  // A failed start makes conmon end; wait so that nobody cleans up under its feet.
  await conmon.ended;
  const said = lastOf(runtimeLog(bundle)) || message?.message || conmon.complaint();
  if (message || said) throw runtimeError(action, said, command);
  throw new CleatError('System', `OCI runtime ${action} failed: the runtime ended without a word: unknown`, {
    details: { reason: 'other' },
  });
}

const mostOfLog = 256 * 1024;

/** The end of a file; empty when there is none. */
function lastOf(path: string): string {
  try {
    const fd = openSync(path, 'r');
    try {
      const length = Math.min(fstatSync(fd).size, mostOfLog);
      const end = Buffer.alloc(length);
      readSync(fd, end, 0, length, fstatSync(fd).size - length);
      return end.toString();
    } finally {
      closeSync(fd);
    }
  } catch {
    // The runtime did not get that far, or it writes no log.
    return '';
  }
}
