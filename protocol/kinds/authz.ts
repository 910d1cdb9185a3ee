import { Caller } from '../caller.js';
import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

export const AuthorizationRequest = Type.Object({
  User: Type.Optional(
    Type.String({ description: 'Common name of the client’s certificate; absent on connections without one.' }),
  ),
  UserAuthNMethod: Type.Optional(Type.String({ description: '`TLS` when there is a user.' })),
  RequestMethod: Type.Optional(Type.String()),
  RequestUri: Type.Optional(
    Type.String({ description: 'With version prefix and query, for example `/v1.41/containers/create?name=x`.' }),
  ),
  RequestBody: Type.Optional(Type.String({ description: 'base64. JSON bodies only.' })),
  RequestHeaders: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Names as Go writes them (`Content-Type`); without credentials.',
    }),
  ),
  RequestPeerCertificates: Type.Optional(
    Type.Array(Type.String(), { description: 'Each the base64 of a PEM text; the client’s own comes first.' }),
  ),
  Caller: Type.Optional(Caller),
  ResponseStatusCode: Type.Optional(Type.Integer({ description: 'This and what follows: only in AuthZRes.' })),
  ResponseBody: Type.Optional(
    Type.String({ description: 'base64. Whole JSON answers only; streams are not held back.' }),
  ),
  ResponseHeaders: Type.Optional(Type.Record(Type.String(), Type.String())),
});
export type AuthorizationRequest = Static<typeof AuthorizationRequest>;

const AuthorizationVerdict = Type.Object({
  Allow: Type.Boolean(),
  Msg: Type.Optional(Type.String({ description: 'Why not, for the user.' })),
});

export type AuthorizationVerdict = Static<typeof AuthorizationVerdict>;

/** Every request of every client waits for it. */
const deadlineMs = seconds(10);

export const authzKind = {
  label: 'authz',
  name: 'authz',
  prefix: 'AuthZPlugin',
  version: 1,
  title: 'Authorization',
  called: 'authorization plugin',
  does: 'may refuse any request to the API',
  neededToStart: false,
  stockDocker: 'found or installed',
  infoList: 'Authorization',
  errorKey: 'Err',
  about:
    'Authorization: every request to the API is put to each configured plugin before it is served, and once more with its answer; what is not explicitly allowed is denied. The capability is called `authz`, the methods `AuthZPlugin.…`. Docker’s authorization plugin protocol (moby `daemon/pkg/authorization`). Unlike in dockerd, `RequestBody` is the body as the engine understood it, and `RequestUri` the target in its one plain spelling: keys in the API’s spelling, duplicates resolved, escapes and transfer coding undone, unknown members gone. So a policy judges what will be done.',
  methods: {
    AuthZReq: {
      about: 'May this request be served? Asked before it is.',
      since: 'Docker 1.10',
      request: AuthorizationRequest,
      response: AuthorizationVerdict,
      deadlineMs,
      idempotent: true,
    },
    AuthZRes: {
      about: 'May its answer be sent? Asked with the same members and those of the response.',
      since: 'Docker 1.10',
      request: AuthorizationRequest,
      response: AuthorizationVerdict,
      deadlineMs,
      idempotent: true,
    },
  },
} as const satisfies Kind;
