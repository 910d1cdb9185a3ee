import { connect } from 'node:net';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { GrpcClient } from '@cleat/protocol/grpc/client';
import { owned } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

/** How long buildkitd may take to answer a connection, and a ping, in ms. */
const defaultPatienceMs = 10_000;
const pingEveryMs = 30_000;

/** The path of a method of buildkitd's. */
export const control = (method: string): string => `/moby.buildkit.v1.Control/${method}`;

/** A connection to buildkitd, which is the caller's to close. @throws Unavailable */
export async function connectTo(path: string, log: Logger, patienceMs = defaultPatienceMs): Promise<GrpcClient> {
  const socket = owned(connect(path));
  const client = new GrpcClient(socket, log, `buildkitd at ${path}`);
  try {
    await client.ping(patienceMs);
  } catch (error) {
    client.close();
    const reason = socket.errored ? `buildkitd cannot be reached: ${messageOf(socket.errored)}` : messageOf(error);
    throw unavailable(`${reason}. Start it, or choose another builder`, { cause: error });
  }
  client.keepAlive(pingEveryMs, patienceMs);
  return client;
}
