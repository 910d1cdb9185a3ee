import Type, { type Static } from '../schema.js';
import { type Kind, negotiated, seconds } from './kind.js';

const Options = Type.Record(Type.String(), Type.String());
const Name = Type.Object({ Name: Type.String() });
const mountOf = {
  Name: Type.String(),
  ID: Type.String({ description: 'Of this mount: another one each time, and no container ID.' }),
};
const Nothing = Type.Object({});

/** For whom and how a volume is mounted: what Docker's Mount does not tell. */
export const MountContext = Type.Object(
  {
    Container: Type.Object({
      ID: Type.String(),
      Name: Type.String({ description: 'Without a slash.' }),
      Labels: Options,
      User: Type.String({ description: 'As configured: `name`, `uid`, either with `:group`; may be empty.' }),
      UID: Type.Optional(
        Type.Integer({ description: 'Of its process, by the users of its image; absent when they do not tell.' }),
      ),
      GID: Type.Optional(Type.Integer()),
    }),
    Destination: Type.String({ description: 'Where in the container.' }),
    ReadOnly: Type.Boolean({ description: 'Mounted read-only into the container, whatever the driver does.' }),
    Options: Type.Record(Type.String(), Type.String(), {
      description: 'Of this mount: `--mount type=volume,…,volume-opt=KEY=VALUE`.',
    }),
  },
  { ...negotiated, description: 'For whom; only to a driver whose `Capabilities` ask for it.' },
);
export type MountContext = Static<typeof MountContext>;

export const Volume = Type.Object({
  Name: Type.String(),
  Mountpoint: Type.Optional(Type.String()),
  CreatedAt: Type.Optional(Type.String({ description: 'RFC 3339.' })),
  Status: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type Volume = Static<typeof Volume>;

export const volumeKind = {
  label: 'volume',
  name: 'VolumeDriver',
  version: 1,
  title: 'Volumes',
  called: 'volume driver',
  does: 'has directories for containers',
  neededToStart: true,
  stockDocker: 'found or installed',
  infoList: 'Volume',
  errorKey: 'Err',
  about:
    'Volumes: directories on this host that a driver provides, for `docker volume` and `docker run -v`. Docker’s volume plugin protocol (moby `daemon/volume/drivers`).',
  negotiated: [
    '`Create` may answer with the `Volume`, as `Get` does: the engine then knows its mount point at once.',
    '`Capabilities.Context`: then `Mount` tells in `Context` for which container, user and options it is.',
    '`Capabilities.IdempotentCreate`: then a volume is made by `Create` alone, without a `Get` before it.',
  ],
  methods: {
    Create: {
      about: 'Makes a volume known. Called again for a volume that exists, it must not fail.',
      since: 'Docker 1.8',
      request: Type.Object({
        Name: Type.String(),
        Opts: Type.Optional(Type.Union([Options, Type.Null()], { description: 'Null when the user gave none.' })),
      }),
      response: Type.Object({
        Volume: Type.Optional(
          Type.Union([Volume, Type.Null()], {
            ...negotiated,
            description: 'What was made. With it the user sees the mount point at once, as with the battery.',
          }),
        ),
      }),
      deadlineMs: seconds(120),
      idempotent: true,
    },
    Remove: {
      about: 'Deletes a volume and its data.',
      since: 'Docker 1.8',
      request: Name,
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    Mount: {
      about:
        'Makes the volume available on this host; answers with the path. One call per container start, and one for each look into the volume of a container that does not run: when one is made whose image has files at the place, and for `docker cp`.',
      since: 'Docker 1.8',
      request: Type.Object({ ...mountOf, Context: Type.Optional(MountContext) }),
      response: Type.Object({ Mountpoint: Type.Optional(Type.String()) }),
      deadlineMs: seconds(120),
      idempotent: false,
    },
    Unmount: {
      about:
        'The container that the Mount of the same ID was for has stopped. May come twice, or after a Mount that failed.',
      since: 'Docker 1.8',
      request: Type.Object(mountOf),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    Path: {
      about: 'Where the volume is mounted, if it is.',
      since: 'Docker 1.8',
      request: Name,
      response: Type.Object({ Mountpoint: Type.Optional(Type.String()) }),
      deadlineMs: seconds(60),
      idempotent: true,
    },
    Get: {
      about: 'One volume. `Volume` null means that there is none of that name.',
      since: 'Docker 1.10',
      request: Name,
      response: Type.Object({ Volume: Type.Optional(Type.Union([Volume, Type.Null()])) }),
      deadlineMs: seconds(60),
      idempotent: true,
    },
    List: {
      about: 'All volumes that this driver knows.',
      since: 'Docker 1.10',
      request: Nothing,
      response: Type.Object({ Volumes: Type.Optional(Type.Union([Type.Array(Volume), Type.Null()])) }),
      deadlineMs: seconds(60),
      idempotent: true,
    },
    Capabilities: {
      about: 'What the driver can do. An unknown or missing scope is `local`.',
      since: 'Docker 1.12',
      request: Nothing,
      response: Type.Object({
        Capabilities: Type.Optional(
          Type.Object({
            Scope: Type.Optional(Type.String({ description: '`local` or `global`.' })),
            Context: Type.Optional(Type.Boolean({ ...negotiated, description: 'Mount is to have a `Context`.' })),
            IdempotentCreate: Type.Optional(
              Type.Boolean({
                ...negotiated,
                description: '`Create` of a volume that exists answers with it, as it is: nobody asks `Get` before.',
              }),
            ),
          }),
        ),
      }),
      deadlineMs: seconds(60),
      idempotent: true,
      optional: true,
    },
  },
} as const satisfies Kind;
