import Type, { type Static } from '../schema.js';
import { type Kind, negotiated, seconds } from './kind.js';

/** Entries on the FIFO: `protocol/log-entry.ts`. */
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
  LogPath: Type.Optional(Type.String({ description: 'The host file a driver that writes one should write to.' })),
  DaemonName: Type.Optional(Type.String()),
});
export type LogInfo = Static<typeof LogInfo>;

export const ReadConfig = Type.Object({
  Since: Type.Optional(Type.String({ description: 'RFC 3339, or Go’s zero time' })),
  Until: Type.Optional(Type.String()),
  Tail: Type.Optional(Type.Integer({ description: '-1: all' })),
  Follow: Type.Optional(Type.Boolean()),
});

const Nothing = Type.Object({});

export const logKind = {
  label: 'log',
  name: 'LogDriver',
  version: 1,
  title: 'Logs',
  called: 'log driver',
  does: 'carries the output of containers away',
  neededToStart: true,
  stockDocker: 'found or installed',
  infoList: 'Log',
  errorKey: 'Err',
  about:
    'Logs: where the output of containers goes. Docker’s log driver protocol (moby `daemon/logger/proxy.go`, `plugin.go`). A log entry is a 4-byte big-endian length and a protobuf message: `source` (1, string), `time_nano` (2, int64), `line` (3, bytes), `partial` (4, bool), `partial_log_metadata` (5).',
  methods: {
    StartLogging: {
      about: 'A container starts. `File` is a FIFO that carries its log entries until end of file.',
      since: 'Docker 17.05',
      request: Type.Object({ File: Type.String(), Info: LogInfo }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: false,
    },
    StopLogging: {
      about: 'The container has stopped; what is in the FIFO is still to be read.',
      since: 'Docker 17.05',
      request: Type.Object({ File: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
    },
    Capabilities: {
      about: 'What the driver can do. Documents show `ReadLogs` at the top; Docker reads it under `Cap`.',
      since: 'Docker 17.05',
      request: Nothing,
      response: Type.Object({
        Cap: Type.Optional(
          Type.Object({
            ReadLogs: Type.Optional(Type.Boolean()),
            Verbatim: Type.Optional(
              Type.Boolean({
                ...negotiated,
                description:
                  'What it would answer to `ReadLogs` is what the engine’s own copy holds: `docker logs` is answered from there.',
              }),
            ),
            ValidateOptions: Type.Optional(
              Type.Boolean({ ...negotiated, description: 'It has the method `ValidateOptions`.' }),
            ),
          }),
        ),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    ValidateOptions: {
      about:
        'Whether a container may be made with these options (`--log-opt`); refused with an error that is shown as it is. Asked only of a driver that says `ValidateOptions`; others refuse at `StartLogging`.',
      since: 'Cleat 0.1',
      request: Type.Object({ Config: Type.Record(Type.String(), Type.String()) }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    ReadLogs: {
      about:
        'What `docker logs` shows; without it the engine answers from its own copy. The answer is a stream of log entries; a line has its line feed, unless it goes on in the next entry.',
      since: 'Docker 17.05',
      request: Type.Object({ Info: LogInfo, Config: ReadConfig }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
      streams: 'response',
    },
  },
} as const satisfies Kind;
