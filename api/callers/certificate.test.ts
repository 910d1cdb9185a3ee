import { expect, test } from 'vitest';
import { alternativeNames } from './certificate.js';

test.each([
  ['', []],
  ['DNS:a.example.org', ['DNS:a.example.org']],
  ['DNS:a, email:b@c.example, URI:spiffe://d/e', ['DNS:a', 'email:b@c.example', 'URI:spiffe://d/e']],
  ['IP Address:10.0.0.1, DNS:x', ['IP Address:10.0.0.1', 'DNS:x']],
  // A name that looks like two is quoted.
  ['DNS:"a, DNS:admin", DNS:b', ['DNS:a, DNS:admin', 'DNS:b']],
  // Nothing of this kind comes from Node.js, and nothing breaks if it does.
  ['DNS:"\\x", DNS:b', ['DNS:"\\x"', 'DNS:b']],
  ['DNS:"a', ['DNS:"a']],
])('%s', (text, names) => {
  expect(alternativeNames(text)).toEqual(names);
});
