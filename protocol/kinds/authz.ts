import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

/**
 * Docker's authorization plugin protocol (moby `daemon/pkg/authorization`, `docs/extend/plugins_authorization`). Every
 * request to the API is put to each configured plugin before it is served (`AuthZReq`), and once more with its answer
 * (`AuthZRes`); what is not explicitly allowed is denied. The capability is called `authz`, the methods `AuthZPlugin.…`.
 *
 * Here, unlike in dockerd, `RequestBody` is the body as the engine understood it: keys in the API's spelling, duplicates
 * resolved, escapes and transfer coding undone, unknown members gone; and `RequestUri` likewise is the target in its one
 * plain spelling. So a policy judges what will be done.
 */
export const AuthorizationRequest = Type.Object({
  /** Common name of the client's certificate; absent on connections without one. */
  User: Type.Optional(Type.String()),
  /** `TLS` when there is a user. */
  UserAuthNMethod: Type.Optional(Type.String()),
  RequestMethod: Type.Optional(Type.String()),
  /** With version prefix and query, for example `/v1.41/containers/create?name=x`. */
  RequestUri: Type.Optional(Type.String()),
  /** base64. JSON bodies only. */
  RequestBody: Type.Optional(Type.String()),
  /** Names as Go writes them (`Content-Type`); without credentials. */
  RequestHeaders: Type.Optional(Type.Record(Type.String(), Type.String())),
  /** Each the base64 of a PEM text; the client's own comes first. */
  RequestPeerCertificates: Type.Optional(Type.Array(Type.String())),
  /** This and what follows: only in AuthZRes. */
  ResponseStatusCode: Type.Optional(Type.Integer()),
  /** base64. Whole JSON answers only; streams are not held back. */
  ResponseBody: Type.Optional(Type.String()),
  ResponseHeaders: Type.Optional(Type.Record(Type.String(), Type.String())),
});
export type AuthorizationRequest = Static<typeof AuthorizationRequest>;

const Verdict = Type.Object({
  Allow: Type.Boolean(),
  /** Why not, for the user. */
  Msg: Type.Optional(Type.String()),
});

/** Every request of every client waits for it. */
const deadlineMs = seconds(10);

export const authzKind = {
  name: 'authz',
  prefix: 'AuthZPlugin',
  errorKey: 'Err',
  methods: {
    AuthZReq: { request: AuthorizationRequest, response: Verdict, deadlineMs, idempotent: true },
    AuthZRes: { request: AuthorizationRequest, response: Verdict, deadlineMs, idempotent: true },
  },
} as const satisfies Kind;
