import { rpcStatus, timestamp } from '../grpc/common.js';
import { bool, bytes, count, int32, list, map, message, nested, repeated, string } from '../grpc/message.js';
import { definition, progressGroup, range, sourceInfo, worker } from './ops.js';

/** moby.buildkit.v1.Control: moby/buildkit `api/services/control/control.proto`. */

export const exporter = message({ Type: string(1), Attrs: map(2, string(2)) });
const cacheEntry = message({ Type: string(1), Attrs: map(2, string(2)) });

export const solveRequest = message({
  Ref: string(1),
  Definition: nested(2, definition),
  ExporterDeprecated: string(3),
  ExporterAttrsDeprecated: map(4, string(2)),
  Session: string(5),
  Frontend: string(6),
  FrontendAttrs: map(7, string(2)),
  Cache: nested(
    8,
    message({
      ExportRefDeprecated: string(1),
      ImportRefsDeprecated: repeated(string(2)),
      Exports: list(4, cacheEntry),
      Imports: list(5, cacheEntry),
    }),
  ),
  Entitlements: repeated(string(9)),
  FrontendInputs: map(10, nested(2, definition)),
  /** It is none of the user's: the history does not have it. */
  Internal: bool(11),
  SourcePolicy: nested(12, message({ version: count(1) })),
  Exporters: list(13, exporter),
  EnableSessionExporter: bool(14),
  SourcePolicySession: string(15),
  ProxyNetwork: bool(17),
});
export const solveResponse = message({ ExporterResponse: map(1, string(2)) });

export const statusRequest = message({ Ref: string(1) });
const vertex = message({
  digest: string(1),
  inputs: repeated(string(2)),
  name: string(3),
  cached: bool(4),
  started: nested(5, timestamp),
  completed: nested(6, timestamp),
  error: string(7),
  progressGroup: nested(8, progressGroup),
});
const vertexStatus = message({
  ID: string(1),
  vertex: string(2),
  name: string(3),
  current: count(4),
  total: count(5),
  timestamp: nested(6, timestamp),
  started: nested(7, timestamp),
  completed: nested(8, timestamp),
});
const vertexLog = message({ vertex: string(1), timestamp: nested(2, timestamp), stream: count(3), msg: bytes(4) });
const vertexWarning = message({
  vertex: string(1),
  level: count(2),
  short: bytes(3),
  detail: repeated(bytes(4)),
  url: string(5),
  info: nested(6, sourceInfo),
  ranges: list(7, range),
});
export const statusResponse = message({
  vertexes: list(1, vertex),
  statuses: list(2, vertexStatus),
  logs: list(3, vertexLog),
  warnings: list(4, vertexWarning),
});

export const listWorkersResponse = message({ record: list(1, worker) });
export const infoResponse = message({
  buildkitVersion: nested(1, message({ package: string(1), version: string(2), revision: string(3) })),
});

export const usageRecord = message({
  ID: string(1),
  Mutable: bool(2),
  InUse: bool(3),
  Size: count(4),
  Parent: string(5),
  CreatedAt: nested(6, timestamp),
  LastUsedAt: nested(7, timestamp),
  UsageCount: count(8),
  Description: string(9),
  RecordType: string(10),
  Shared: bool(11),
  Parents: repeated(string(12)),
});
export const diskUsageRequest = message({ filter: repeated(string(1)), ageLimit: count(2) });
export const diskUsageResponse = message({ record: list(1, usageRecord) });
export const pruneRequest = message({
  filter: repeated(string(1)),
  all: bool(2),
  keepDuration: count(3),
  reservedSpace: count(4),
  maxUsedSpace: count(5),
  minFreeSpace: count(6),
});

export const historyRequest = message({
  ActiveOnly: bool(1),
  Ref: string(2),
  EarlyExit: bool(3),
  Filter: repeated(string(4)),
  Limit: int32(5),
});
const historyRecord = message({
  Ref: string(1),
  Frontend: string(2),
  FrontendAttrs: map(3, string(2)),
  Exporters: list(4, exporter),
  error: nested(5, rpcStatus),
  CreatedAt: nested(6, timestamp),
  CompletedAt: nested(7, timestamp),
  ExporterResponse: map(9, string(2)),
  numCachedSteps: int32(15),
  numTotalSteps: int32(16),
  numCompletedSteps: int32(17),
  numWarnings: int32(19),
});
/** `type` 0 is STARTED, 1 COMPLETE, 2 DELETED. */
export const historyEvent = message({ type: int32(1), record: nested(2, historyRecord) });
export const historyUpdate = message({ Ref: string(1), Pinned: bool(2), Delete: bool(3), Finalize: bool(4) });
