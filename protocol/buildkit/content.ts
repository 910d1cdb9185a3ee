import { bytes, count, message, nested, string } from '../grpc/message.js';

/** containerd.services.content.v1: containerd `api/services/content/v1/content.proto`. */
export const infoRequest = message({ digest: string(1) });
export const infoResponse = message({ info: nested(1, message({ digest: string(1), size: count(2) })) });

export const readRequest = message({ digest: string(1), offset: count(2), size: count(3) });
export const readResponse = message({ offset: count(1), data: bytes(2) });

export const writeAction = { write: 1, commit: 2 } as const;
export const writeRequest = message({
  action: count(1),
  ref: string(2),
  total: count(3),
  expected: string(4),
  offset: count(5),
  data: bytes(6),
});
export const writeResponse = message({ action: count(1), offset: count(4), total: count(5), digest: string(6) });

export const abortRequest = message({ ref: string(1) });
