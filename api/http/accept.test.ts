import { expect, it } from 'vitest';
import { acceptedType } from './accept.js';

const offers = ['application/jsonl', 'application/x-ndjson'] as const;

it.each([
  [undefined, undefined],
  ['*/*', undefined],
  ['application/*, text/html', undefined],
  ['application/x-ndjson', 'application/x-ndjson'],
  ['application/x-ndjson, application/jsonl', 'application/jsonl'],
  ['application/x-ndjson;q=0.9, application/jsonl; q=0.5', 'application/x-ndjson'],
  ['application/jsonl;q=0', undefined],
  ['application/jsonl;q=x', undefined],
])('of %s', (accept, type) => expect(acceptedType({ accept }, offers)).toBe(type));
