import { Caller } from './caller.js';
import Type, { type Static } from './schema.js';

/** The ways in which a request can end; `open`: it has not ended yet. */
export const decisions = ['allowed', 'failed', 'denied', 'refused', 'open'] as const;
export type Decision = (typeof decisions)[number];

const Change = Type.Object({
  Hook: Type.String({ description: 'Its name; of an adapter `adapter NAME`.' }),
  Path: Type.String({ description: 'The member that it set or removed: `Body.HostConfig.Memory`.' }),
});

/** A request to the API, as the audit journal keeps it: a line of JSON. Never a body, a header, or a secret of a query. */
export const AuditRecord = Type.Object({
  Seq: Type.Integer({ description: 'Its number in the journal. Requests are numbered as they end.' }),
  Time: Type.String({ description: 'When the request began, RFC 3339, in UTC.' }),
  ID: Type.Optional(
    Type.String({ description: 'The request’s name in the engine’s log. Absent where it was refused early.' }),
  ),
  Caller: Caller,
  Remote: Type.Optional(Type.String({ description: 'The client’s address, on TCP.' })),
  Method: Type.String({ description: 'Empty: what came was not HTTP.' }),
  URI: Type.String({
    description:
      'As it was understood, in one spelling, with the version that the client asked for. Values of parameters that may hold secrets are `***`.',
  }),
  Asked: Type.Optional(
    Type.String({
      description: 'What the client asked for, where an adapter made another request of it: `POST /containers/create`.',
    }),
  ),
  Route: Type.String({ description: 'Without version: `/containers/{name}/start`. Empty: there is no such page.' }),
  Container: Type.Optional(
    Type.Object(
      { ID: Type.Optional(Type.String()), Name: Type.Optional(Type.String()) },
      {
        description:
          'What the request is about. Without an ID: as the client named it, and there was none by that name.',
      },
    ),
  ),
  Decision: Type.String({
    description:
      '`allowed`: done. `failed`: allowed, and then not done, or nobody could decide. `denied`: a hook or an authorizer said no. `refused`: by the API itself, before its handler. `open`: it is being served; another record tells its end.',
  }),
  By: Type.Optional(
    Type.String({ description: 'Who denied it, or failed to decide: `authorizer NAME`, `hook NAME`, `adapter NAME`.' }),
  ),
  Reason: Type.Optional(
    Type.String({ description: 'In the words of who denied it; otherwise the class of the error.' }),
  ),
  Executed: Type.Optional(Type.Boolean({ description: 'It was carried out, and only its answer was denied.' })),
  Changes: Type.Optional(Type.Array(Change, { description: 'What adapters and hooks changed.' })),
  Status: Type.Integer({ description: 'Of the answer; 0: the client had gone before, or has none yet.' }),
  DurationMs: Type.Number({ description: 'Until the last byte of the answer was handed to the kernel.' }),
  Sent: Type.Integer({ description: 'Bytes of the answer, its head included.' }),
  Lost: Type.Optional(
    Type.Integer({
      description: 'So many requests before this one could not be written down: the disk did not take them.',
    }),
  ),
});
export type AuditRecord = Static<typeof AuditRecord>;

/** A record that has no number yet. */
export type NewAuditRecord = Omit<AuditRecord, 'Seq' | 'Lost'>;
