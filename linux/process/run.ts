import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelled, deadlineExceeded, systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { findCommand } from '../host.js';
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
  // The further abilities of Node's spawn are seldom needed, and cost the whole daemon milliseconds.
  const path = options.input === undefined && options.cwd === undefined ? pathOf(command) : undefined;
  if (path !== undefined) return await runLean(path, args, { ...options, deadlineMs, maxBuffer });
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

const paths = new Map<string, string>();

/** The command's path, remembered as long as it is there; undefined when there is none. */
function pathOf(command: string): string | undefined {
  const known = paths.get(command);
  const path = (known && findCommand(known)) ?? findCommand(command);
  if (path !== undefined) paths.set(command, path);
  return path;
}

/** The same by posix_spawn. */
async function runLean(
  command: string,
  args: readonly string[],
  { deadlineMs, maxBuffer, env = process.env, signal }: RunOptions & { deadlineMs: number; maxBuffer: number },
): Promise<RunResult> {
  const child = start(command, args, env);
  let failure: Error | undefined;
  const stop = (error: Error) => {
    failure ??= error;
    // Until its status was asked for, nobody else gets its number.
    if (child.ended() === undefined) process.kill(child.pid, 'SIGKILL');
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const tooMuch = () => stop(systemError(`${command} printed more than ${maxBuffer} bytes`));
  const stdout = collect(child.stdout, maxBuffer, tooMuch);
  const stderr = collect(child.stderr, maxBuffer, tooMuch);
  const late = () => stop(deadlineExceeded(`${command} ${args[0] ?? ''} did not finish within ${deadlineMs} ms`));
  const timer = setTimeout(late, deadlineMs);
  const onAbort = () => stop(cancelled(`${command} was stopped: the caller went away`));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.all([closed(child.stdout), closed(child.stderr)]);
    const status = await statusOf(child);
    if (failure) throw failure;
    // wait(2): the signal in the low seven bits, the exit code above the low byte.
    const signalNumber = status & 0x7f;
    return { code: signalNumber ? 128 + signalNumber : status >> 8, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Spawned {
  try {
    return posixSpawn(command, args, env);
  } catch (cause) {
    throw errnoOf(cause) === 'ENOENT' ? unavailable(`${command} is not installed or not in PATH`, { cause }) : cause;
  }
}

const closed = (stream: Socket): Promise<void> =>
  new Promise((resolve) => {
    // An error while reading closes it, too; what was read until then counts.
    stream.on('error', () => {}).once('close', () => resolve());
  });

/** A process that ends closes its pipes a moment before it can be asked for its status. */
async function statusOf(child: Spawned): Promise<number> {
  for (let wait = 1; ; wait = Math.min(2 * wait, 50)) {
    const status = child.ended();
    if (status !== undefined) return status;
    await sleep(wait);
  }
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
