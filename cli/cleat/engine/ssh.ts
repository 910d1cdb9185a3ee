import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { unavailable } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import type { SshTarget } from './endpoint.js';

/** The command that makes a connection to an engine on another machine: the docker CLI over there carries it. */
export function sshCommand({ host, user, port, path }: SshTarget): string[] {
  const words = ['ssh', '-o', 'ConnectTimeout=30', '-T'];
  if (user !== undefined) words.push('-l', user);
  if (port !== undefined) words.push('-p', port);
  const socket = path === undefined ? [] : ['--host', `unix://${path}`];
  return [...words, '--', host, 'docker', ...socket, 'system', 'dial-stdio'];
}

export interface SshConnection {
  readonly stream: Duplex;
  /** Why ssh failed, once it has ended; undefined when it did not. */
  readonly failure: Promise<Error | undefined>;
}

/** A connection through ssh. When the stream breaks, ssh itself says why a moment later. */
export function connectThroughSsh(target: SshTarget): SshConnection {
  const [program = '', ...args] = sshCommand(target);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2000);
  });
  const failure = new Promise<Error | undefined>((resolve) => {
    child.once('error', (error) => resolve(unavailable(`ssh cannot be started: ${error.message}`)));
    child.once('close', (code) => {
      const words = `ssh to ${target.host} ended with ${code}: ${readable(said).trim()}`;
      resolve(code ? unavailable(words) : undefined);
    });
  });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  // The request that uses the stream hears of it, too.
  stream.on('error', () => {});
  stream.once('close', () => child.kill());
  return { stream, failure };
}
