import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import {
  checkAgentRequest,
  credentialsRequest,
  credentialsResponse,
  secretRequest,
  secretResponse,
} from '@cleat/protocol/buildkit/session';
import { invalidParameter } from '@cleat/protocol/errors';
import { bytesMessage, nothing } from '@cleat/protocol/grpc/common';
import { type Method, streaming, unary } from '@cleat/protocol/grpc/server';
import { code, StatusError } from '@cleat/protocol/grpc/status';
import { owned } from '@cleat/protocol/guard';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';

/** As BuildKit has it. */
const maxSecretBytes = 500 * 1024;

/** Credentials for registries, by their hosts; empty for one that there are none for. */
export function credentialsMethod(auth: NonNullable<BuildRequest['RegistryAuth']>): [string, Method] {
  const answer = ({ Host }: { Host: string }) => {
    // Docker's own registry has another name where BuildKit asks.
    const own = auth[Host === 'registry-1.docker.io' ? 'docker.io' : Host];
    if (!own) return {};
    const { username = '', password = '', identitytoken } = own;
    if (identitytoken) return { Secret: identitytoken };
    if (username !== '' || !own.auth) return { Username: username, Secret: password };
    const [name = '', ...rest] = Buffer.from(own.auth, 'base64').toString('utf8').split(':');
    return { Username: name, Secret: rest.join(':') };
  };
  return ['/moby.filesync.v1.Auth/Credentials', unary(credentialsRequest, credentialsResponse, answer)];
}

export function secretMethod(secrets: NonNullable<BuildRequest['Secrets']>): [string, Method] {
  const answer = async ({ ID }: { ID: string }) => {
    const found = secrets.find((secret) => secret.ID === ID);
    if (!found) throw new StatusError(code.notFound, `secret ${ID} not found`);
    const { size } = await stat(found.File);
    if (size > maxSecretBytes) throw invalidParameter(`secret ${ID} is larger than ${maxSecretBytes} bytes`);
    return { data: await readFile(found.File) };
  };
  return ['/moby.buildkit.secrets.v1.Secrets/GetSecret', unary(secretRequest, secretResponse, answer)];
}

/** Agents for SSH. */
export function agentMethods(agents: NonNullable<BuildRequest['SSH']>): [string, Method][] {
  const socketOf = (id: string): string => {
    const found = agents.find((agent) => agent.ID === (id || 'default'));
    if (!found) throw new StatusError(code.notFound, `unset ssh forward key ${id || 'default'}`);
    return found.Socket;
  };
  const check = ({ ID }: { ID: string }) => {
    socketOf(ID);
    return {};
  };
  const join = streaming(bytesMessage, bytesMessage, async function* (pieces, { headers, signal }) {
    const socket = owned(connect(socketOf(String(headers['buildkit.ssh.id'] ?? ''))));
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    const sending = (async () => {
      for await (const { data } of pieces) {
        if (socket.destroyed) return;
        if (!socket.write(data))
          await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve));
      }
      socket.end();
    })();
    // Its end closes the socket, which is what is read.
    sending.catch(() => socket.destroy());
    try {
      for await (const data of socket as AsyncIterable<Buffer>) yield { data };
    } finally {
      socket.destroy();
    }
  });
  return [
    ['/moby.sshforward.v1.SSH/CheckAgent', unary(checkAgentRequest, nothing, check)],
    ['/moby.sshforward.v1.SSH/ForwardAgent', join],
  ];
}
