import { spawn } from 'node:child_process';

const deadlineMs = 10_000;

/**
 * Looks at a path that a plugin answered, in a process of its own: behind it may be a server that never answers, and
 * whoever looks hangs.
 */
async function shell(script: string, ...args: string[]): Promise<{ code: number; text: string }> {
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
      // What is stuck in the kernel does not end; it must not keep this process either.
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

/** @returns what is wrong with it as a directory, or undefined */
export async function problemWithDirectory(path: string): Promise<string | undefined> {
  const { code, text } = await shell('test -d "$1" && ls "$1" >/dev/null', path);
  return code === 0 ? undefined : text || 'it is no directory on this host';
}

/** @returns why it could not be written, or undefined */
export async function writeText(path: string, text: string): Promise<string | undefined> {
  const { code, text: why } = await shell('printf %s "$2" > "$1"', path, text);
  return code === 0 ? undefined : why || 'it cannot be written';
}

/** The text of a file, or undefined with the reason. */
export async function readText(path: string): Promise<{ text: string | undefined; why: string }> {
  const { code, text } = await shell('cat "$1"', path);
  return code === 0 ? { text, why: '' } : { text: undefined, why: text || 'it cannot be read' };
}
