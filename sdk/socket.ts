import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { addressOf } from './port.js';

const probeMs = 5_000;

/**
 * Listens on a UNIX socket, replacing a stale one.
 * @returns its address
 * @throws Conflict when somebody listens there
 */
export async function listenOnSocket(server: Server, path: string, mode: number): Promise<string> {
  mkdirSync(dirname(path), { recursive: true });
  try {
    await listen(server, path, mode);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    if (!lstatSync(path).isSocket()) throw conflict(`${path} is no socket: remove it first, or choose another path`);
    if (await isAnswered(path)) throw conflict(`another process listens at ${path}: stop it first`, { cause: error });
    rmSync(path, { force: true });
    await listen(server, path, mode);
  }
  return `unix://${path}`;
}

/**
 * Listens on a socket that somebody else made, who keeps its file: it is neither checked nor removed.
 * @returns its address
 * @throws InvalidParameter when the descriptor is none
 */
export function listenOnDescriptor(server: Server, fd: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) =>
      reject(invalidParameter(`descriptor ${fd} is no socket that listens: ${messageOf(error)}`, { cause: error }));
    server.once('error', onError);
    server.listen({ fd }, () => {
      server.removeListener('error', onError);
      const address = server.address();
      if (typeof address === 'object' && address) resolve(addressOf(address, address.address, false));
      else resolve(`unix://${address ?? ''}`);
    });
  });
}

function listen(server: Server, path: string, mode: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket appears with its final permissions: nobody slips in between bind and chmod.
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen(path, () => {
        server.removeListener('error', reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  }).then(() => chmodSync(path, mode));
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const answer = (answered: boolean) => {
      probe.destroy();
      resolve(answered);
    };
    probe.once('connect', () => answer(true));
    // A queue that is full belongs to somebody who is alive.
    probe.once('error', (error) => answer('code' in error && error.code === 'EAGAIN'));
    // Never so on a UNIX socket; but nothing is waited for without an end.
    probe.setTimeout(probeMs, () => answer(true));
  });
}
