import { bool, bytes, count, int32, list, map, message, nested, repeated, string } from '../grpc/message.js';

/** The part of moby/buildkit's `solver/pb/ops.proto` that a build without LLB of its own needs. */

export const platform = message({
  Architecture: string(1),
  OS: string(2),
  Variant: string(3),
  OSVersion: string(4),
  OSFeatures: repeated(string(5)),
});

const input = message({ digest: string(1), index: count(2) });

/** Where something comes from: `docker-image://…`, `local://…`. */
export const sourceOp = message({ identifier: string(1), attrs: map(2, string(2)) });

/** A vertex of LLB; of its kinds only sources are understood. */
export const op = message({ inputs: list(1, input), source: nested(3, sourceOp), platform: nested(10, platform) });

/** Clients want one for each vertex; there is nothing in it that counts here. */
const vertexFacts = message({ ignore_cache: bool(1) });

export const definition = message({ def: repeated(bytes(1)), metadata: map(2, nested(2, vertexFacts)) });

const position = message({ line: int32(1), character: int32(2) });
export const range = message({ start: nested(1, position), end: nested(2, position) });
export const sourceInfo = message({ filename: string(1), data: bytes(2), language: string(4) });

export const progressGroup = message({ id: string(1), name: string(2), weak: bool(3) });

export const worker = message({
  ID: string(1),
  Labels: map(2, string(2)),
  platforms: list(3, platform),
  BuildkitVersion: nested(
    5,
    message({ package: string(1), version: string(2), revision: string(3), dockerfileVersion: string(4) }),
  ),
});
