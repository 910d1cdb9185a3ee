import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { cancelled, deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';

export interface RunOptions {
  /** Written to the command's stdin, which is then closed. Without it stdin is /dev/null. */
  input?: string | Buffer;
  /** Milliseconds until the command is killed (SIGKILL) and DeadlineExceeded is thrown. Default 30,000. */
  deadlineMs?: number;
  /** Bytes of stdout, and of stderr, that are kept; what exceeds it kills the command. Default 16 MiB. */
  maxBuffer?: number;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  signal?: AbortSignal;
}

export interface RunResult {
  /** The exit code; 128 + n when signal n ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a host command to its end. A non-zero exit is a result, not an error.
 * @throws CleatError Unavailable when the command does not exist, DeadlineExceeded, Cancelled, System
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { deadlineMs = 30_000, maxBuffer = 16 * 1024 * 1024, signal } = options;
  if (signal?.aborted) throw cancelled(`${command} was not started: the caller went away`);
  const child = spawn(command, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: options.env,
    cwd: options.cwd,
  });
  return await new Promise<RunResult>((resolve, reject) => {
    let failure: Error | undefined;
    const stop = (error: Error) => {
      failure ??= error;
      child.kill('SIGKILL');
      // Grandchildren may hold the pipes open; nobody waits for them.
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const tooMuch = () => stop(systemError(`${command} printed more than ${maxBuffer} bytes`));
    const stdout = collect(child.stdout, maxBuffer, tooMuch);
    const stderr = collect(child.stderr, maxBuffer, tooMuch);
    const timer = setTimeout(
      () => stop(deadlineExceeded(`${command} ${args[0] ?? ''} did not finish within ${deadlineMs} ms`)),
      deadlineMs,
    );
    const onAbort = () => stop(cancelled(`${command} was stopped: the caller went away`));
    signal?.addEventListener('abort', onAbort, { once: true });
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    child.once('error', (error) => {
      done();
      const missing = 'code' in error && error.code === 'ENOENT';
      reject(
        failure ?? (missing ? unavailable(`${command} is not installed or not in PATH`, { cause: error }) : error),
      );
    });
    child.once('close', (code, signalName) => {
      done();
      if (failure) reject(failure);
      else resolve({ code: exitCode(code, signalName), stdout: stdout(), stderr: stderr() });
    });
    // A command that ends without reading its input is no error of ours: its exit code tells.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
  });
}

function collect(stream: ChildProcess['stdout'], limit: number, onExcess: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) onExcess();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function exitCode(code: number | null, signalName: NodeJS.Signals | null): number {
  return code ?? 128 + (signalName ? constants.signals[signalName] : 0);
}
