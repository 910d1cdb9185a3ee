import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from './engine.js';
import { checkMissed } from './missed.js';

export interface TerminalOptions {
  rows: number;
  columns: number;
  /** Typed once the client has had time to attach. */
  type?: string;
  /** Typed once `awaited` was seen after `type`: detach keys, which would end the session before the answer came. */
  finally?: { awaited: string; type: string };
}

/** Runs `docker ARGS` on a real terminal (util-linux's `script` allocates it), as a person would. */
export async function onTerminal(
  engine: Engine,
  { rows, columns, type, finally: end }: TerminalOptions,
  ...args: string[]
): Promise<{ code: number; stdout: string }> {
  const words = ['docker', '-H', `unix://${engine.socket}`, ...args].map(
    (word) => `'${word.replaceAll("'", "'\\''")}'`,
  );
  const command = `stty rows ${rows} cols ${columns}; exec ${words.join(' ')}`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
  if (type !== undefined) {
    await sleep(700);
    // One key at a time: detach keys are a sequence that somebody presses.
    for (const key of type) child.stdin.write(key);
  }
  if (end !== undefined) {
    while (!stdout.includes(end.awaited) && child.exitCode === null && child.signalCode === null) await sleep(50);
    for (const key of end.type) child.stdin.write(key);
  }
  const [code] = await ended;
  clearTimeout(late);
  child.stdin.destroy();
  if (code !== 0) checkMissed(command, stdout);
  return { code: code ?? -1, stdout };
}
