import { spawn } from 'node:child_process';

const deadlineMs = 10_000;

/**
 * Runs a script in a process of its own, with a deadline: behind a path that a plugin answered may be a server that
 * never answers, and a process that looks hangs.
 * @param args are its $1, $2, …
 * @returns code -1 when the deadline passed, with the reason as text
 */
export async function shell(script: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return await new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      // A process that is stuck in the kernel does not end; it must not keep this one either.
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code: -1, text: `no answer within ${deadlineMs / 1000} s` });
    }, deadlineMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(late);
      resolve({ code: code ?? -1, text: text.trim() });
    });
  });
}
