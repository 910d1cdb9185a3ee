import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout } from './documents.js';

/** Programs that a person left running in the background end with the shell. */
const preamble = `trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n`;

/**
 * Runs lines that a document shows, from the checkout's root, with its commands on the PATH, and stops at the first one
 * that fails. On a real terminal: an interactive shell in it is left as soon as it prompts.
 * @param directory the script goes into a new directory below it
 * @param timeoutMs after which it is killed, and has failed
 * @returns all that was printed
 * @throws Error with all that was printed when a command fails
 */
export async function runShell(
  text: string,
  directory: string,
  env: NodeJS.ProcessEnv = {},
  timeoutMs = 240_000,
): Promise<string> {
  const script = join(await mkdtemp(join(directory, 'shell-')), 'script');
  writeFileSync(script, `${preamble}${text}\n`);
  const { DOCKER_HOST: _host, DOCKER_CONTEXT: _context, DOCKER_API_VERSION: _version, ...outer } = process.env;
  const child = spawn('script', ['-qefc', `bash -e ${script}`, '/dev/null'], {
    cwd: checkout,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...outer,
      PATH: `${checkout}bin:${process.env.PATH}`,
      DOCKER_CONFIG: join(directory, 'docker'),
      DOCKER_CLI_HINTS: 'false',
      ...env,
    },
  });
  let printed = '';
  let left = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
      const prompts = printed.split('/ # ').length - 1;
      for (; left < prompts; left++) child.stdin.write('exit\n');
    });
  }
  // A child that ends first breaks the pipe: its exit code says whether that was right.
  child.stdin.on('error', () => {});
  const late = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  if (code !== 0) throw new Error(`exit code ${code}:\n${text}\n=== printed:\n${printed}`);
  return printed;
}
