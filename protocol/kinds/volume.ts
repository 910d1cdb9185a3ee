import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

/**
 * Docker's volume plugin protocol (moby `daemon/volume/drivers`, `docs/extend/plugins_volume`). One Mount per container
 * start, one Unmount per stop; `ID` differs per mount and is no container ID. A null `Volume` means "not found".
 */
const Options = Type.Record(Type.String(), Type.String());
const Name = Type.Object({ Name: Type.String() });
const Nothing = Type.Object({});

export const Volume = Type.Object({
  Name: Type.String(),
  Mountpoint: Type.Optional(Type.String()),
  /** RFC 3339. */
  CreatedAt: Type.Optional(Type.String()),
  Status: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type Volume = Static<typeof Volume>;

export const volumeKind = {
  name: 'VolumeDriver',
  errorKey: 'Err',
  methods: {
    Create: {
      request: Type.Object({ Name: Type.String(), Opts: Type.Optional(Options) }),
      response: Nothing,
      deadlineMs: seconds(120),
      idempotent: true,
    },
    Remove: { request: Name, response: Nothing, deadlineMs: seconds(60), idempotent: false },
    Mount: {
      request: Type.Object({ Name: Type.String(), ID: Type.String() }),
      response: Type.Object({ Mountpoint: Type.Optional(Type.String()) }),
      deadlineMs: seconds(120),
      idempotent: false,
    },
    Unmount: {
      request: Type.Object({ Name: Type.String(), ID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    Path: {
      request: Name,
      response: Type.Object({ Mountpoint: Type.Optional(Type.String()) }),
      deadlineMs: seconds(60),
      idempotent: true,
    },
    Get: {
      request: Name,
      response: Type.Object({ Volume: Type.Optional(Type.Union([Volume, Type.Null()])) }),
      deadlineMs: seconds(60),
      idempotent: true,
    },
    List: {
      request: Nothing,
      response: Type.Object({ Volumes: Type.Optional(Type.Union([Type.Array(Volume), Type.Null()])) }),
      deadlineMs: seconds(60),
      idempotent: true,
    },
    Capabilities: {
      request: Nothing,
      /** An unknown or missing scope is `local`. */
      response: Type.Object({
        Capabilities: Type.Optional(Type.Object({ Scope: Type.Optional(Type.String()) })),
      }),
      deadlineMs: seconds(60),
      idempotent: true,
      optional: true,
    },
  },
} as const satisfies Kind;
