import type { ServerHttp2Stream } from 'node:http2';
import type { Builds } from '@cleat/engine/build/service';
import { infoResponse } from '@cleat/protocol/buildkit/control';
import { invalidParameter, notImplemented } from '@cleat/protocol/errors';
import type { GrpcClient } from '@cleat/protocol/grpc/client';
import { nothing } from '@cleat/protocol/grpc/common';
import { forward } from '@cleat/protocol/grpc/forward';
import { frame, readMessages } from '@cleat/protocol/grpc/framing';
import type { CallHead } from '@cleat/protocol/grpc/server';
import type { Logger } from '@cleat/protocol/log';
import type { Sessions } from '../session/sessions.js';
import { Receiver } from './receiver.js';
import { lendSession } from './session.js';
import { engineSolve } from './solve-request.js';
import type { Upstream } from './upstream.js';

export interface SolveServices {
  readonly upstream: Upstream;
  readonly sessions: Sessions;
  readonly builds: Pick<Builds, 'keep'>;
  readonly log: Logger;
}

/** Passes on a call of `Solve`; images for the engine go there on their way. @throws InvalidParameter, Unavailable */
export async function passSolve(services: SolveServices, stream: ServerHttp2Stream, head: CallHead): Promise<void> {
  const { upstream, sessions, builds, log } = services;
  const over = new AbortController();
  stream.once('close', () => over.abort());
  const { signal } = over;
  try {
    const request = await onlyMessage(stream);
    const client = await upstream.client();
    const wanted = engineSolve(request);
    if (!wanted) return await forward(stream, head.rawHeaders, client, { body: frame(request) });
    if (wanted.needsSeveral) await checkSeveral(client, signal);
    const takes = wanted.images.map(({ number, names }) => {
      return [number, (archive: Parameters<Builds['keep']>[0]) => builds.keep(archive, names, signal)] as const;
    });
    const receiver = new Receiver(new Map(takes));
    const session = await sessions.get(wanted.session, signal);
    const own = lendSession({ upstream, session, log }, signal, receiver);
    const check = (): Error | undefined => receiver.missing();
    await forward(stream, head.rawHeaders, client, { body: frame(wanted.encode(own)), check });
  } finally {
    over.abort();
  }
}

async function onlyMessage(stream: ServerHttp2Stream): Promise<Uint8Array> {
  // A copy: what is given is a part of a buffer that goes on.
  for await (const one of readMessages(stream, { decode: (payload) => Uint8Array.from(payload) })) return one;
  throw invalidParameter('the call has no message');
}

/** An older BuildKit would leave out all exporters but the first, without a word. @throws NotImplemented */
async function checkSeveral(client: GrpcClient, signal: AbortSignal): Promise<void> {
  const path = '/moby.buildkit.v1.Control/Info';
  const { buildkitVersion } = await client.call(path, [nothing, infoResponse], {}, { signal });
  const [, major, minor] = /^v?(\d+)\.(\d+)\./.exec(buildkitVersion?.version ?? '') ?? [];
  // A BuildKit that was not told its version says 0.0.0.
  if (major === undefined || Number(major) > 0 || Number(minor) >= 13 || Number(minor) === 0) return;
  throw notImplemented(
    `BuildKit ${buildkitVersion?.version} cannot both push an image and leave it with the engine: build it first, then docker push it`,
  );
}
