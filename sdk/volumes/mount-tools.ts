import { spawn } from 'node:child_process';
import { systemError, unavailable } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';

const deadlineMs = 5_000;

interface Ended {
  /** Null: it did not end in time. */
  code: number | null;
  said: string;
}

/**
 * Whether the server of what is mounted there is gone, so that every access to it fails for ever. Asked by a process of
 * its own, because the server may also be silent.
 * @throws Unavailable when it is silent
 */
export async function isDead(directory: string): Promise<boolean> {
  // The first question may be answered by the kernel for others than its owner, the second one from its memory.
  const { code, said } = await runTool('sh', ['-c', 'stat -f -- "$1" && stat -- "$1/."', 'sh', directory]);
  if (code === null)
    throw unavailable(`what serves ${directory} does not answer: restart it, or unmount it by umount -l`);
  return /Transport endpoint is not connected|Stale file handle/.test(said);
}

/**
 * Takes a mount away.
 * @param lazily processes that still use it may go on, and its server is not asked; otherwise that is an error
 * @throws System with what umount said
 */
export async function takeAway(directory: string, lazily: boolean): Promise<void> {
  const flags = lazily ? ['--lazy', '--no-canonicalize'] : ['--no-canonicalize'];
  const { code, said } = await runTool('umount', [...flags, '--', directory]);
  if (code === null) throw systemError(`umount ${directory} did not end within ${deadlineMs} ms`);
  if (code !== 0) throw systemError(said.trim() || `umount ${directory} ended with ${code}`);
}

/** A process that a dead server holds may not even be killed: nobody waits for it. */
function runTool(command: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    let said = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stderr.destroy();
      child.unref();
      resolve({ code: null, said });
    }, deadlineMs);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', (cause) => {
      clearTimeout(timer);
      reject(systemError(`${command} cannot be run: ${cause.message}`, { cause }));
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, said });
    });
  });
}
