import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

/**
 * Docker's log driver protocol (moby `daemon/logger/proxy.go`, `plugin.go`). StartLogging names a FIFO that carries
 * log entries as in `protocol/log-entry.ts`; the driver opens it for reading and consumes it until end of file.
 */
export const LogInfo = Type.Object({
  Config: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  ContainerID: Type.String(),
  ContainerName: Type.String(),
  ContainerEntrypoint: Type.Optional(Type.String()),
  ContainerArgs: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  ContainerImageID: Type.Optional(Type.String()),
  ContainerImageName: Type.Optional(Type.String()),
  ContainerCreated: Type.Optional(Type.String()),
  ContainerEnv: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  ContainerLabels: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  /** The host file a driver that writes one should write to. */
  LogPath: Type.Optional(Type.String()),
  DaemonName: Type.Optional(Type.String()),
});
export type LogInfo = Static<typeof LogInfo>;

export const ReadConfig = Type.Object({
  /** RFC 3339, or Go's zero time */
  Since: Type.Optional(Type.String()),
  Until: Type.Optional(Type.String()),
  /** -1: all */
  Tail: Type.Optional(Type.Integer()),
  Follow: Type.Optional(Type.Boolean()),
});

const Nothing = Type.Object({});

export const logKind = {
  name: 'LogDriver',
  errorKey: 'Err',
  methods: {
    StartLogging: {
      request: Type.Object({ File: Type.String(), Info: LogInfo }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: false,
    },
    StopLogging: {
      request: Type.Object({ File: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
    },
    Capabilities: {
      request: Nothing,
      /** Documents say `ReadLogs` at the top; code says under `Cap`. */
      response: Type.Object({
        Cap: Type.Optional(
          Type.Object({
            ReadLogs: Type.Optional(Type.Boolean()),
            /** Ours: the names of all log options it has. With them, another one is refused when a container is made. */
            Options: Type.Optional(Type.Array(Type.String())),
          }),
        ),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    ReadLogs: {
      request: Type.Object({ Info: LogInfo, Config: ReadConfig }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
      streams: 'response',
    },
  },
} as const satisfies Kind;
