import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { messageOf } from '@cleat/protocol/errors';
import type { GrpcClient } from '@cleat/protocol/grpc/client';
import { bytesMessage, healthRequest, healthResponse } from '@cleat/protocol/grpc/common';
import { readMessages } from '@cleat/protocol/grpc/framing';
import { type Method, serveGrpc, unary } from '@cleat/protocol/grpc/server';
import { tunnelOf } from '@cleat/protocol/grpc/tunnel';
import { owned } from '@cleat/protocol/guard';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import { control } from '../connection.js';
import { directories, dockerfileName } from '../order.js';
import { type Directory, directoryMethod } from './files.js';
import { agentMethods, credentialsMethod, secretMethod } from './services.js';

/** Things that buildkitd calls back for while it builds. */
export interface SessionServices {
  readonly order: BuildRequest;
  /** Takes the archive of the result. */
  readonly onResult: (archive: Readable) => Promise<void>;
  readonly log: Logger;
}

/**
 * Opens a session in which buildkitd gets the files and secrets of an order, and brings its result.
 * @returns its name; it ends with the signal, or the connection
 */
export function openSession(client: GrpcClient, services: SessionServices, signal: AbortSignal): string {
  const { log, onResult } = services;
  const id = randomBytes(16).toString('hex');
  const methods = new Map<string, Method>([
    ['/grpc.health.v1.Health/Check', unary(healthRequest, healthResponse, () => ({ status: 1 }))],
    directoryMethod(directoriesOf(services.order)),
    credentialsMethod(services.order.RegistryAuth ?? {}),
    secretMethod(services.order.Secrets ?? []),
    ...agentMethods(services.order.SSH ?? []),
    ['/moby.filesync.v1.FileSend/DiffCopy', resultMethod(onResult)],
  ]);
  const call = client.stream(control('Session'), [bytesMessage, bytesMessage], {
    signal,
    headers: {
      'x-docker-expose-session-uuid': id,
      'x-docker-expose-session-name': 'cleat',
      'x-docker-expose-session-grpc-method': [...methods.keys()],
    },
  });
  const serve = async (): Promise<void> => {
    const pieces = tunnelOf(call.messages, (connection) => serveGrpc(connection, methods, log), log);
    for await (const piece of pieces) if (!(await call.send(piece))) break;
    call.end();
  };
  serve().catch((error: unknown) => log.debug('a session has ended', { error: messageOf(error) }));
  return id;
}

function directoriesOf(order: BuildRequest): Map<string, Directory> {
  const found = new Map<string, Directory>([
    [directories.context, { root: order.Context }],
    [directories.dockerfile, { root: '', only: { name: dockerfileName(order), path: order.Dockerfile } }],
  ]);
  for (const [name, { Directory }] of Object.entries(order.Contexts ?? {})) {
    if (Directory !== undefined) found.set(directories.named(name), { root: Directory });
  }
  return found;
}

function resultMethod(onResult: SessionServices['onResult']): Method {
  return {
    async serve(stream) {
      const data = async function* (): AsyncGenerator<Uint8Array> {
        for await (const piece of readMessages(stream, bytesMessage)) if (piece.data.length > 0) yield piece.data;
      };
      const archive = owned(Readable.from(data(), { objectMode: false }));
      try {
        await onResult(archive);
      } finally {
        archive.destroy();
      }
    },
  };
}
