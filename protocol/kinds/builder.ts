import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

const text = (description?: string) => Type.Optional(Type.String(description === undefined ? {} : { description }));
const flag = (description?: string) => Type.Optional(Type.Boolean(description === undefined ? {} : { description }));
const number = (description?: string) => Type.Optional(Type.Integer(description === undefined ? {} : { description }));
const texts = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));
const map = (description: string) => Type.Optional(Type.Record(Type.String(), Type.String(), { description }));

const NamedContext = Type.Object({
  Directory: text('Absolute path.'),
  Image: text('A reference, where the context is an image.'),
});

export const BuildRequest = Type.Object({
  ID: Type.String({ description: 'Of this build, for messages.' }),
  Engine: Type.String({
    description:
      'Path of a UNIX socket on which the engine answers its own API to builders. An image that is committed or loaded there is a build record: nobody sees it until it is the result. `POST /commit` takes its body as the whole configuration, and what the history is to say as `createdby` and `created`. The path is the same for all calls to one builder.',
  }),
  Context: Type.String({
    description: 'Absolute path of a directory: checked, unpacked, ignored files left out. It is only read.',
  }),
  Dockerfile: Type.String({ description: 'Absolute path of the file. It may lie outside of the context.' }),
  DockerfileName: text('What the user calls it, for messages.'),
  Contexts: Type.Optional(
    Type.Record(Type.String(), NamedContext, { description: 'Further contexts by their names (`--build-context`).' }),
  ),
  Ignore: texts('Lines of `.dockerignore`, by which files were left out; for checks only.'),
  Target: text('The stage to build; the last one where it is empty.'),
  Platform: text('`linux/amd64`; the host’s where it is empty.'),
  BuildArgs: map('Values of `ARG`s; a name whose value the client left to its environment is not here.'),
  Labels: map('Labels of the result.'),
  NoCache: flag(),
  NoCacheFilter: texts('Stages that are not taken from the cache.'),
  Pull: flag('Base images are pulled even if they are here.'),
  CacheFrom: texts(
    'Caches as the client names them: references of images, `type=registry,ref=…`, `type=local,src=…,digest=…` (a directory of the client). The engine reads them: `GET /build-records/caches?build=ID&from=N` answers what the builder of that cache wrote (`Cache`), the diff IDs of its layers (`Layers`) and the digest of it all (`Digest`); `POST /build-records/caches/layer?build=ID&from=N&layer=DIFFID&parent=IMAGE` puts one of them on top of an image. Bytes are verified, words are not.',
  ),
  CacheFromOnly: flag(
    'Of the cache only what the images of `CacheFrom` have is taken, and only images that are here (the classic `--cache-from`).',
  ),
  CacheTo: texts(
    '`type=inline`, `type=registry,ref=…` or `type=local,dest=…`, with `mode=min` or `max` and `ignore-error`. The engine writes them: `POST /build-records/caches?build=ID&to=N` with `Cache` (the builder’s words) and `Layers` (diff IDs). What is inline goes into the image, as `Cache` of `POST /build-records`.',
  ),
  Network: text('Of `RUN`: `default`, `none`, `host`, or a network.'),
  ExtraHosts: texts('`name:address`, for `RUN`.'),
  ShmSize: number('Bytes.'),
  Ulimits: Type.Optional(
    Type.Array(
      Type.Object({ Name: Type.String(), Soft: Type.Optional(Type.Integer()), Hard: Type.Optional(Type.Integer()) }),
    ),
  ),
  CgroupParent: text(),
  Memory: number('Bytes.'),
  MemorySwap: number('Bytes; -1: no limit.'),
  CpuShares: number(),
  CpuPeriod: number('Microseconds.'),
  CpuQuota: number('Microseconds.'),
  CpuSetCpus: text(),
  CpuSetMems: text(),
  SecurityOpt: texts('As of containers.'),
  KeepContainers: flag('Containers of `RUN` are not removed (`--rm=false`).'),
  KeepFailed: flag('The container of a `RUN` that fails is not removed (without `--force-rm`).'),
  StepImages: flag(
    'Each step has an image of its own, as the classic builder tells them; that of the last one is the result.',
  ),
  Allow: texts('`network.host`, `security.insecure`.'),
  Secrets: Type.Optional(
    Type.Array(Type.Object({ ID: Type.String(), File: Type.String({ description: 'Absolute path.' }) })),
  ),
  SSH: Type.Optional(
    Type.Array(Type.Object({ ID: Type.String(), Socket: Type.String({ description: 'Absolute path of an agent.' }) })),
  ),
  RegistryAuth: Type.Optional(
    Type.Record(Type.String(), Type.Record(Type.String(), Type.String()), {
      description:
        'Credentials for pulls, by the registry’s host: `username`, `password`, `identitytoken`, … Never to be kept.',
    }),
  ),
});
export type BuildRequest = Static<typeof BuildRequest>;

export const Question = Type.Object({
  Question: Type.String({
    description: '`frontend.outline`, `frontend.targets`, `frontend.lint`, `frontend.subrequests.describe`.',
  }),
  Engine: text('As in `Build`.'),
  Dockerfile: Type.String({ description: 'Absolute path of the file.' }),
  DockerfileName: text('As the user calls it.'),
  Target: text('The stage that is meant.'),
  Platform: text('As in `Build`.'),
  BuildArgs: map('As in `Build`.'),
  Contexts: texts('Names of further contexts.'),
  Ignore: texts('As in `Build`.'),
});
export type Question = Static<typeof Question>;

export const BuildVertex = Type.Object({
  ID: Type.String(),
  Name: Type.String({ description: 'The instruction as it is shown: `RUN make`.' }),
  Expanded: text('The same with its variables replaced, for BuildKit’s clients.'),
  Same: text('ID of an earlier vertex that does the same: BuildKit’s clients are shown one.'),
  Step: number('From 1, without gaps: the classic door tells steps in this order.'),
  Steps: number(),
  Stage: text(),
  StageStep: number(
    'From 1, among the steps of its stage that make a layer: BuildKit shows no others. 0: it makes none.',
  ),
  StageSteps: number('How many those are. Where it is missing, all steps are shown to BuildKit’s clients.'),
  Inputs: texts('IDs of the vertices that it builds on.'),
  Started: text('RFC 3339, with nanoseconds.'),
  Completed: text('RFC 3339, with nanoseconds.'),
  Cached: flag('Taken from the cache.'),
  Error: text(),
  Image: text('ID of the image after it.'),
  Triggers: number('Of `FROM`: how many triggers of its base follow, each a vertex of the same step.'),
  Container: text('ID of the container that it runs in.'),
});
export type BuildVertex = Static<typeof BuildVertex>;

/** One line of the answer to `Build`. It has one member. */
export const BuildLine = Type.Object({
  Vertex: Type.Optional(BuildVertex),
  Log: Type.Optional(
    Type.Object({
      Vertex: Type.String(),
      Stream: number('1 output, 2 errors'),
      Data: Type.String({ description: 'base64' }),
    }),
  ),
  Status: Type.Optional(
    Type.Object({
      Vertex: Type.String(),
      ID: Type.String(),
      Current: number(),
      Total: number(),
      Started: text(),
      Completed: text(),
    }),
  ),
  Warning: Type.Optional(
    Type.Object({
      Vertex: text(),
      Short: Type.String(),
      Detail: text(),
      URL: text(),
      Line: number('From 1.'),
      EndLine: number('The last one, if they are several.'),
      Rule: text('Of a check of the file (`JSONArgsRecommended`), which the classic builder does not make.'),
    }),
  ),
  Result: Type.Optional(Type.Object({ Image: Type.String({ description: '`sha256:…`' }) })),
  Error: Type.Optional(
    Type.Object({
      Message: Type.String(),
      Code: number('The exit code of a `RUN`.'),
      Vertex: text(),
      Line: number('In the Dockerfile, from 1.'),
    }),
  ),
});
export type BuildLine = Static<typeof BuildLine>;

export const BuildCacheRecord = Type.Object({
  ID: Type.String(),
  Image: text('ID of the build record that it is, if it is one.'),
  Type: text('`regular`, `source.local`, `exec.cachemount`, …'),
  Description: text(),
  InUse: flag(),
  Shared: flag(),
  Size: number('Bytes.'),
  CreatedAt: text('RFC 3339.'),
  LastUsedAt: text('RFC 3339.'),
  UsageCount: number(),
  Parents: texts('IDs.'),
});
export type BuildCacheRecord = Static<typeof BuildCacheRecord>;

const Nothing = Type.Object({});
const chosen = flag(
  'Builds go to this builder. All builders are asked; one whose cache others use, too, leaves it alone otherwise.',
);

export const builderKind = {
  label: 'builder',
  name: 'ImageBuilder',
  version: 1,
  title: 'Builders',
  called: 'image builder',
  does: 'makes images of Dockerfiles',
  neededToStart: false,
  stockDocker: 'not at all',
  errorKey: 'Err',
  about:
    'Builders: who makes an image of a Dockerfile and a context. A protocol of Cleat’s. A builder is an ordinary client of the engine’s API, which it finds on a socket of its own; what it says while it works is told to `docker build` by either door, the classic one and BuildKit’s.',
  methods: {
    Capabilities: {
      about: 'What the builder can do.',
      since: 'Cleat 0.2',
      request: Nothing,
      response: Type.Object({
        Platforms: texts('That it builds for; without it the host’s, and those that run here by binfmt.'),
        BuildKit: text(
          'Path of a UNIX socket of this host where a BuildKit answers. Its clients (`docker buildx`) are passed on to it; all else is asked as of any builder.',
        ),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    Build: {
      about:
        'Makes an image. The answer is a stream of lines of JSON with one member each: `Vertex` (a step, again whenever it changes), `Log`, `Status`, `Warning`, and at the end `Result` or `Error`. Closing the connection cancels: nothing is left behind then. An error without a stream is one of the request.',
      since: 'Cleat 0.2',
      request: BuildRequest,
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      streams: 'response',
    },
    Ask: {
      about:
        'Answers a question about a Dockerfile, which is not built: BuildKit’s clients ask so for `docker buildx build --call` and `--check`. The answer is what they expect: `result.json`, `result.txt`, `version`, and `result.statuscode` of a check. NotImplemented for a question that the builder does not know.',
      since: 'Cleat 0.2',
      request: Question,
      response: Type.Object({ Metadata: Type.Record(Type.String(), Type.String()) }),
      deadlineMs: seconds(60),
      idempotent: true,
      optional: true,
    },
    DiskUsage: {
      about: 'What the builder keeps to be quicker the next time; for `docker system df` and `docker buildx du`.',
      since: 'Cleat 0.2',
      request: Type.Object({ Engine: text('As in `Build`.'), Chosen: chosen }),
      response: Type.Object({ Records: Type.Optional(Type.Array(BuildCacheRecord)) }),
      deadlineMs: seconds(30),
      idempotent: true,
      optional: true,
    },
    Prune: {
      about: 'Removes from the cache what nobody uses; a limit that is missing or 0 is none.',
      since: 'Cleat 0.2',
      request: Type.Object({
        Engine: text('As in `Build`.'),
        Chosen: chosen,
        All: flag('Also what a build may still use.'),
        Filters: Type.Optional(
          Type.Record(Type.String(), Type.Array(Type.String()), {
            description: '`until`, `id`, `parent`, `type`, `description`, `inuse`, `shared`, `private`.',
          }),
        ),
        ReservedSpace: number('Bytes that may stay in any case.'),
        MaxUsedSpace: number('Bytes that may stay at most.'),
        MinFreeSpace: number('Bytes of the disk that are to be free.'),
      }),
      response: Type.Object({ Removed: texts('IDs.'), SpaceReclaimed: number('Bytes.') }),
      deadlineMs: seconds(120),
      idempotent: true,
      optional: true,
    },
  },
} as const satisfies Kind;
