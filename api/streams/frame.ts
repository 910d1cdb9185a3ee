/** Docker's multiplexed streams: 8 bytes of header (stream, 0, 0, 0, length as big-endian uint32), then the data. */
export type StreamId = 1 | 2 | 3;

export function frame(stream: StreamId, data: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length);
  framed.writeUInt32BE(stream * 2 ** 24, 0);
  framed.writeUInt32BE(data.length, 4);
  framed.set(data, 8);
  return framed;
}

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';
