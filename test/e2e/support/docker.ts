import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { checkMissed } from './missed.js';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface DockerOptions {
  input?: string | Buffer;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  timeoutMs?: number;
}

/** The client is started thousands of times: it needs no second processor, and ends before it has garbage to collect. */
const shortLived = { GOMAXPROCS: '1', GOGC: 'off', GOMEMLIMIT: '128MiB' };

/**
 * Runs the stock client. `input` becomes its stdin.
 * @throws Missed, where a battery is left out
 */
export async function docker(
  host: string,
  config: string,
  args: readonly (string | DockerOptions)[],
): Promise<CommandResult> {
  const words = args.filter((arg): arg is string => typeof arg === 'string');
  const {
    input,
    env,
    cwd,
    timeoutMs = 150_000,
  } = args.find((arg): arg is DockerOptions => typeof arg !== 'string') ?? {};
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, DOCKER_API_VERSION: _version, ...outer } = process.env;
  const child = execFile('docker', ['-H', host, ...words], {
    env: { ...outer, ...shortLived, DOCKER_CONFIG: config, DOCKER_CLI_HINTS: 'false', ...env },
    cwd,
    maxBuffer: 256 * 1024 * 1024,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk: string) => {
    stderr += chunk;
  });
  // A command that does not read all of its input ends the pipe: its own exit code says whether that was right.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code === null) throw new Error(`docker ${words.join(' ')} was ended by ${signal} after ${timeoutMs} ms`);
  if (code !== 0) checkMissed(`docker ${words.join(' ')}`, stderr);
  return { code, stdout, stderr };
}
