import type { Readable } from 'node:stream';
import type { OutgoingFile } from '@cleat/engine/build/sync/service';
import { packet, packetType } from '@cleat/protocol/buildkit/session';
import { cancelled, invalidParameter } from '@cleat/protocol/errors';
import { bytesMessage } from '@cleat/protocol/grpc/common';
import type { Report } from '../control/progress.js';
import type { Session } from '../session/sessions.js';

const method = '/moby.filesync.v1.FileSend/DiffCopy';
const idHeader = 'buildkit-attachable-exporter-id';
/** Clients of gRPC take messages of up to 4 MiB. */
const maxPiece = 1024 * 1024;
/** Bytes between two notes about a transfer. */
const noteEvery = 1024 * 1024;

/** Sends one file to the client's output of that number. */
export async function sendBytes(
  session: Session,
  id: number,
  source: Readable,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const stream = session.client.stream(method, [bytesMessage, bytesMessage], {
    headers: { [idHeader]: `${id}` },
    signal,
  });
  const counted = counter('sending tarball', report);
  const send = async (chunk: Buffer): Promise<boolean> => {
    for (let from = 0; from < chunk.length; from += maxPiece) {
      if (!(await stream.send({ data: chunk.subarray(from, from + maxPiece) }))) return false;
    }
    return true;
  };
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      // Its end, below, says why the client takes no more.
      if (!(await send(chunk))) break;
      await counted.add(chunk.length);
    }
    stream.end();
    // Its end says that the client has written everything, or why it could not.
    for await (const _ of stream.messages);
    await counted.done();
  } finally {
    stream.cancel();
  }
}

/**
 * Sends a tree to a directory of the client, by fsutil's protocol. The client asks for each regular file as soon as it
 * is told of it; so each is sent before the next is told, and nothing is held here.
 */
export async function sendFiles(
  session: Session,
  id: number,
  files: AsyncIterable<OutgoingFile>,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const headers = { [idHeader]: `${id}`, 'buildkit-exporter-multi-platform': '1' };
  const stream = session.client.stream(method, [packet, packet], { headers, signal });
  const packets = stream.messages[Symbol.asyncIterator]();
  const counted = counter('copying files', report);
  const send = async (message: Parameters<typeof stream.send>[0]): Promise<void> => {
    if (!(await stream.send(message))) throw await endOf(packets);
  };
  try {
    let number = 0;
    for await (const { entry, content } of files) {
      await send({ type: packetType.stat, stat: { ...entry, xattrs: new Map(entry.xattrs) } });
      if (content) {
        const asked = await nextPacket(packets);
        if (asked.type !== packetType.request || asked.ID !== number) {
          throw invalidParameter('the client asked for a file that it was not told of');
        }
        for await (const data of content) {
          await send({ type: packetType.data, ID: number, data });
          await counted.add(data.length);
        }
        await send({ type: packetType.data, ID: number });
      }
      number++;
    }
    // The end of the list; the client answers when it has everything, and is answered.
    await send({ type: packetType.stat });
    const last = await nextPacket(packets);
    if (last.type !== packetType.finish) throw invalidParameter('the client asked for a file twice');
    await send({ type: packetType.finish });
    stream.end();
    for (let next = await packets.next(); !next.done; next = await packets.next());
    await counted.done();
  } finally {
    stream.cancel();
  }
}

/** Asked before anything is read for it. @throws InvalidParameter */
export function checkPlace(session: Session): void {
  if (!session.supports(method))
    throw invalidParameter('the client has no place for the result: give it one with --output');
}

type Packet = { readonly type: number; readonly ID: number; readonly data: Uint8Array };

async function nextPacket(packets: AsyncIterator<Packet>): Promise<Packet> {
  const next = await packets.next();
  if (next.done) throw cancelled('the client ended before it had everything');
  if (next.value.type === packetType.error) {
    throw invalidParameter(`error from receiver: ${Buffer.from(next.value.data).toString('utf8')}`);
  }
  return next.value;
}

/** Why the client takes no more. */
async function endOf(packets: AsyncIterator<Packet>): Promise<Error> {
  try {
    await nextPacket(packets);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return cancelled('the client takes no more files');
}

function counter(id: string, report: Report): { add(length: number): Promise<void>; done(): Promise<void> } {
  let current = 0;
  let noted = 0;
  return {
    async add(length) {
      current += length;
      if (current - noted < noteEvery) return;
      noted = current;
      await report({ id, current });
    },
    done: () => report({ id, current, done: true }),
  };
}
