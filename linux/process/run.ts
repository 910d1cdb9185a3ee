import type { Socket } from 'node:net';
import { cancelled, deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { commandPath } from '../host.js';
import { errnoOf } from '../syscall/errno.js';
import { posixSpawn, type Spawned } from '../syscall/spawn.js';

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
  const child = start(command, args, options);
  const [stdin, out, err] = child.pipes;
  let failure: Error | undefined;
  const stop = (error: Error) => {
    failure ??= error;
    child.kill('SIGKILL');
    // Grandchildren may hold the pipes open; nobody waits for them.
    for (const pipe of child.pipes) pipe?.destroy();
  };
  const tooMuch = () => stop(systemError(`${command} printed more than ${maxBuffer} bytes`));
  const stdout = collect(out, maxBuffer, tooMuch);
  const stderr = collect(err, maxBuffer, tooMuch);
  const late = () => stop(deadlineExceeded(`${command} ${args[0] ?? ''} did not finish within ${deadlineMs} ms`));
  const timer = setTimeout(late, deadlineMs);
  const onAbort = () => stop(cancelled(`${command} was stopped: the caller went away`));
  signal?.addEventListener('abort', onAbort, { once: true });
  // A command that ends without reading its input is no error of ours: its exit code tells.
  if (options.input !== undefined) stdin?.end(options.input);
  try {
    const status = await child.finished();
    if (failure) throw failure;
    return { code: exitCode(status), stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** An exit code from a status of wait(2), which has the signal in its low seven bits, the code above its low byte. */
export function exitCode(status: number): number {
  const signal = status & 0x7f;
  return signal ? 128 + signal : status >> 8;
}

function start(command: string, args: readonly string[], { input, cwd, env = process.env }: RunOptions): Spawned {
  const missing = `${command} is not installed or not in PATH`;
  const path = commandPath(command);
  if (path === undefined) throw unavailable(missing);
  try {
    return posixSpawn(path, args, { env, cwd, stdio: [input === undefined ? 'null' : 'reads', 'writes', 'writes'] });
  } catch (cause) {
    throw errnoOf(cause) === 'ENOENT' ? unavailable(missing, { cause }) : cause;
  }
}

function collect(stream: Socket | undefined, limit: number, onExcess: () => void): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) onExcess();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
