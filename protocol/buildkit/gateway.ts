import { rpcStatus } from '../grpc/common.js';
import { bool, bytes, count, list, map, message, nested, repeated, string } from '../grpc/message.js';
import { definition, platform, sourceOp, worker } from './ops.js';

/** moby.buildkit.v1.frontend.LLBBridge: moby/buildkit `frontend/gateway/pb/gateway.proto`. */

const cap = message({ ID: string(1), Enabled: bool(2) });
export const pong = message({ FrontendAPICaps: list(1, cap), LLBCaps: list(2, cap), Workers: list(3, worker) });

export const ref = message({ id: string(1), def: nested(2, definition) });
const refMap = message({ refs: map(1, nested(2, ref)) });
export const result = message({
  refDeprecated: string(1),
  ref: nested(3, ref),
  refs: nested(4, refMap),
  metadata: map(10, bytes(2)),
});

export const solveRequest = message({
  Definition: nested(1, definition),
  Frontend: string(2),
  FrontendOpt: map(3, string(2)),
  allowResultReturn: bool(5),
  allowResultArrayRef: bool(6),
  CacheImports: list(12, message({ Type: string(1), Attrs: map(2, string(2)) })),
  FrontendInputs: map(13, nested(2, definition)),
  Evaluate: bool(14),
});
export const solveResponse = message({ ref: string(1), result: nested(3, result) });
export const returnRequest = message({ result: nested(1, result), error: nested(2, rpcStatus) });
export const inputsResponse = message({ Definitions: map(1, nested(2, definition)) });

export const resolveImageRequest = message({
  Ref: string(1),
  Platform: nested(2, platform),
  ResolveMode: string(3),
  LogName: string(4),
});
export const resolveImageResponse = message({ Digest: string(1), Config: bytes(2), Ref: string(3) });
export const resolveSourceRequest = message({
  Source: nested(1, sourceOp),
  Platform: nested(2, platform),
  LogName: string(3),
  ResolveMode: string(4),
});
export const resolveSourceResponse = message({
  Source: nested(1, sourceOp),
  Image: nested(2, message({ Digest: string(1), Config: bytes(2) })),
});

/** fsutil.types.Stat: tonistiigi/fsutil `types/stat.proto`; `mode` is Go's os.FileMode. */
export const readFileRequest = message({
  Ref: string(1),
  FilePath: string(2),
  Range: nested(3, message({ Offset: count(1), Length: count(2) })),
});
export const readFileResponse = message({ Data: bytes(1) });
export const refRequest = message({ Ref: string(1) });
export const warnRequest = message({
  digest: string(1),
  level: count(2),
  short: bytes(3),
  detail: repeated(bytes(4)),
  url: string(5),
});
