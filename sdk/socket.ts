import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { conflict } from '@cleat/protocol/errors';

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
    if (await isAnswered(path)) throw conflict(`another process listens at ${path}: stop it first`, { cause: error });
    rmSync(path, { force: true });
    await listen(server, path, mode);
  }
  return `unix://${path}`;
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
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
