import { bytes, count, int32, int64, map, message, nested, string, uint32 } from '../grpc/message.js';

/** The services of a client's session: moby/buildkit `session/*`, and tonistiigi/fsutil `types/*.proto`. */

/** `mode` is Go's os.FileMode; `modTime` is in nanoseconds. */
export const stat = message({
  path: string(1),
  mode: uint32(2),
  uid: uint32(3),
  gid: uint32(4),
  size: count(5),
  modTime: int64(6),
  linkname: string(7),
  devmajor: count(8),
  devminor: count(9),
  xattrs: map(10, bytes(2)),
});

/** Types of packets. */
export const packetType = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;
export const packet = message({ type: int32(1), stat: nested(2, stat), ID: uint32(3), data: bytes(4) });

export const credentialsRequest = message({ Host: string(1) });
export const credentialsResponse = message({ Username: string(1), Secret: string(2) });

export const secretRequest = message({ ID: string(1), annotations: map(2, string(2)) });
export const secretResponse = message({ data: bytes(1) });

export const checkAgentRequest = message({ ID: string(1) });
