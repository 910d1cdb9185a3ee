import { bytes, count, int32, list, message, string } from './message.js';

/** google.protobuf.Timestamp. */
export const timestamp = message({ seconds: count(1), nanos: int32(2) });

/** google.protobuf.Any. */
export const any = message({ typeUrl: string(1), value: bytes(2) });

/** google.rpc.Status, which `grpc-status-details-bin` holds. */
export const rpcStatus = message({ code: int32(1), message: string(2), details: list(3, any) });

/** The same `{ data }` in every service that sends plain bytes. */
export const bytesMessage = message({ data: bytes(1) });

/** A message without a field. */
export const nothing = message({});

/** grpc.health.v1. */
export const healthRequest = message({ service: string(1) });
/** `status` 1 is SERVING. */
export const healthResponse = message({ status: int32(1) });

/** An RFC 3339 time with nanoseconds, as protobuf has it. */
export function toTimestamp(text: string | undefined): { seconds: number; nanos: number } | undefined {
  if (!text) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return undefined;
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? '';
  return { seconds: Math.floor(ms / 1000), nanos: Number(fraction.padEnd(9, '0')) };
}

/** The other way round. */
export function fromTimestamp(time: { seconds?: number; nanos?: number } | undefined): string | undefined {
  if (!time?.seconds) return undefined;
  const moment = new Date(time.seconds * 1000);
  if (Number.isNaN(moment.getTime())) return undefined;
  return moment.toISOString().replace(/\.000Z$/, `.${`${time.nanos ?? 0}`.padStart(9, '0').slice(0, 9)}Z`);
}
