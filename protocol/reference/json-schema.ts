import { errorClassKey } from '../answer.js';
import { type Kind, methodPath } from '../kinds/kind.js';

/** A kind as one JSON Schema document: each message under `$defs`, and what else the contract says under `x-methods`. */
export function kindSchema(kind: Kind): object {
  const methods = Object.entries(kind.methods);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: kind.name,
    description: kind.about,
    'x-version': kind.version,
    'x-methods': Object.fromEntries(
      methods.map(([name, { about, since, deadlineMs, idempotent, optional, streams }]) => [
        name,
        {
          path: methodPath(kind, name),
          description: about,
          since,
          deadlineMs,
          idempotent,
          optional: optional ?? false,
          request: { $ref: `#/$defs/${name}.request` },
          ...(streams ? { streams } : { response: { $ref: `#/$defs/${name}.response` } }),
        },
      ]),
    ),
    $defs: {
      ...Object.fromEntries(
        methods.flatMap(([name, { request, response, streams }]) => [
          [`${name}.request`, request],
          ...(streams ? [] : [[`${name}.response`, response]]),
        ]),
      ),
      error: {
        type: 'object',
        required: [kind.errorKey],
        properties: {
          [kind.errorKey]: { type: 'string' },
          [errorClassKey]: {
            type: 'string',
            description: 'The sort of error, for example NotFound.',
            'x-negotiated': true,
          },
        },
      },
    },
  };
}
