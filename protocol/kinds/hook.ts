import { Caller } from '../caller.js';
import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

const texts = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));
const map = (description: string) => Type.Record(Type.String(), Type.String(), { description });

/** How much of a message a hook is shown. */
export const sights = ['none', 'head', 'body', 'stream'] as const;
export type Sight = (typeof sights)[number];

const sight = (description: string) => Type.Optional(Type.String({ description }));

export const HookCallers = Type.Object({
  Users: texts('Names, as in `Caller.User`.'),
  Groups: texts('Names or numbers of groups of this host, for processes of the host.'),
  Containers: texts('Names or IDs of containers; `*`: any.'),
  Plugins: texts('Names of managed plugins; `*`: any.'),
  Methods: texts('`unix`, `TLS` or `none`.'),
});
export type HookCallers = Static<typeof HookCallers>;

export const HookMatch = Type.Object({
  Methods: texts('`POST`, …'),
  Routes: texts(
    'Paths of the API without version: `/containers/create`, `/containers/*/json`. `*` is one part, `**` at the end is any number of them.',
  ),
  Labels: texts('`key` or `key=value`; all of them: of the object in the body, or of the one that the path names.'),
  Callers: Type.Optional(HookCallers),
});
export type HookMatch = Static<typeof HookMatch>;

export const HookCapabilities = Type.Object({
  Protocol: Type.Optional(Type.Integer({ description: '1.' })),
  Match: Type.Optional(
    Type.Array(HookMatch, {
      description:
        'The hook is asked about requests that fit one of these; absent: about all. In one, each member that is there must fit.',
    }),
  ),
  Request: sight(
    'What it sees of requests: `none` (also where this is absent), `head`, `body` or `stream`. `head`: all but the body; `body`: a JSON body as well; `stream`: as `body`, and a body of any other kind flows through `RequestStream`.',
  ),
  Response: sight('The same for answers.'),
});
export type HookCapabilities = Static<typeof HookCapabilities>;

const common = {
  ID: Type.String({ description: 'Of the request, as in the engine’s log.' }),
  Method: Type.String(),
  Route: Type.String({ description: 'The path of the API that it fits, such as `/containers/*/json`.' }),
  Params: map('What stands for each `*` in it, by name.'),
  Version: Type.String({ description: 'Of the API that the client speaks.' }),
  Caller,
  DryRun: Type.Optional(Type.Boolean({ description: 'Nobody is going to do it: `cleat hooks test` asks.' })),
};

export const HookRequest = Type.Object({
  ...common,
  Query: Type.Record(Type.String(), Type.Unknown(), {
    description:
      'Each a string, or a list of them where it is given several times. `filters` is an object of lists: `{"label": ["a=b"]}`.',
  }),
  Headers: map('Names as Go writes them (`Content-Type`); without credentials.'),
  Body: Type.Optional(
    Type.Unknown({ description: 'As the engine understood it: keys in the API’s spelling, unknown ones gone.' }),
  ),
});
export type HookRequest = Static<typeof HookRequest>;

/** A member of an answer that is not known is refused: what it asks for would not be done, and nobody would know. */
const strictly = { additionalProperties: false };

const Setting = Type.Object({ Path: Type.String(), Value: Type.Unknown() }, strictly);

/** The changes that a hook asks for. */
const changes = {
  Set: Type.Optional(
    Type.Array(Setting, {
      description:
        'Paths begin with `Query`, `Headers` or `Body`: `Body.HostConfig.Memory`, `Body.Labels["a.b"]`, `Query.fromImage`, `Body.Mounts[0].Source`. What is missing on the way is made.',
    }),
  ),
  Add: Type.Optional(
    Type.Array(Setting, {
      description:
        'Adds to a list, so that two hooks can. An element that says the same thing is replaced: of `NAME=value` the same NAME, of a mount the same `Target`.',
    }),
  ),
  Remove: texts('Paths.'),
};

export const HookAnswer = Type.Object(
  {
    Status: Type.Integer({ description: '200 to 599.' }),
    Headers: Type.Optional(map('Beside those of every answer.')),
    Body: Type.Optional(Type.Unknown({ description: 'Sent as JSON.' })),
  },
  strictly,
);
export type HookAnswer = Static<typeof HookAnswer>;

export const HookRequestReply = Type.Object(
  {
    ...changes,
    Deny: Type.Optional(
      Type.Object(
        {
          Status: Type.Optional(
            Type.Integer({ description: '400, 401, 403, 404, 409, 500, 501 or 503; 403 where it is absent.' }),
          ),
          Message: Type.String({ description: 'For the user.' }),
        },
        { description: 'The request is not served.', ...strictly },
      ),
    ),
    Answer: Type.Optional(HookAnswer),
  },
  strictly,
);
export type HookRequestReply = Static<typeof HookRequestReply>;

export const HookResponse = Type.Object({
  ...common,
  Status: Type.Integer(),
  Headers: map('Names as Go writes them.'),
  Body: Type.Optional(Type.Unknown({ description: 'Of a whole answer in JSON.' })),
});
export type HookResponse = Static<typeof HookResponse>;

export const HookResponseReply = Type.Object(changes, strictly);
export type HookResponseReply = Static<typeof HookResponseReply>;

/** The part that both replies have. */
export type HookChanges = HookResponseReply;

export const HookStream = Type.Object({ ID: common.ID, Method: common.Method, Route: common.Route });
export type HookStream = Static<typeof HookStream>;

/** Every request that it matches waits for it. */
const deadlineMs = seconds(5);

export const hookKind = {
  label: 'hook',
  name: 'RequestHook',
  version: 1,
  title: 'Hooks',
  called: 'request hook',
  does: 'changes, answers or refuses requests to the API',
  neededToStart: false,
  stockDocker: 'not at all',
  errorKey: 'Err',
  about:
    'Hooks: who changes requests to the API before they are judged and served, and their answers before the client gets them. A protocol of Cleat’s. Hooks are asked in the order of the file that `--hooks` names; each sees what those before it changed, and authorization plugins judge the result, which is what is done.',
  methods: {
    Capabilities: {
      about: 'What the hook wants to see. Asked when it becomes active, before it is asked about a request.',
      since: 'Cleat 0.2',
      request: Type.Object({}),
      response: HookCapabilities,
      deadlineMs,
      idempotent: true,
    },
    Request: {
      about:
        'A request, before it is judged. `{}` lets it pass as it is. `Deny` refuses it. `Answer` answers instead of the engine: later hooks are not asked, authorization plugins are.',
      since: 'Cleat 0.2',
      request: HookRequest,
      response: HookRequestReply,
      deadlineMs,
      idempotent: true,
      optional: true,
    },
    Response: {
      about:
        'Its answer, before authorization plugins judge it and the client gets it; the last hook of the file is asked first. Paths begin with `Status`, `Headers` or `Body`. Of a stream there is the head only.',
      since: 'Cleat 0.2',
      request: HookResponse,
      response: HookResponseReply,
      deadlineMs,
      idempotent: true,
      optional: true,
    },
    RequestStream: {
      about:
        'The bytes of a request’s body as they come, of a build, a load, or files that are copied: for a hook that sees a `stream`. They are the body of the call; the body of the answer is what goes on instead of them. `ID` says of which request, which was put to `Request` before. Send the head of the answer at once.',
      since: 'Cleat 0.2',
      request: HookStream,
      response: Type.Object({}),
      deadlineMs,
      idempotent: false,
      optional: true,
      streams: 'both',
    },
    ResponseStream: {
      about:
        'The same for an answer that is a stream: logs, events, progress, archives. `Response` was asked about its head before.',
      since: 'Cleat 0.2',
      request: HookStream,
      response: Type.Object({}),
      deadlineMs,
      idempotent: false,
      optional: true,
      streams: 'both',
    },
  },
} as const satisfies Kind;
