import { describe, expect, test } from 'vitest';
import { maxApiVersion, minApiVersion, versionNumber } from '../../api/http/version.js';
import { documentedParameters } from '../../api/testing/documented-parameters.js';
import { changes, tabled } from '../../cli/reference/api/changes.js';
import { allRoutes, pathOf } from '../../cli/reference/api/page.js';

/** The table goes through every version that is announced, and what it says of requests is what the routes have. */
const all = changes();
const plain = (request: string) => request.replace(/\{\w+\}/g, '{}');
const routeOf = (request: string) =>
  allRoutes().find((route) => plain(`${route.method} ${pathOf(route)}`) === plain(request));

test('no version is announced that the table does not have', () => {
  const minor = (version: string) => (versionNumber(version) ?? 0) % 10_000;
  const [newest, oldest] = [minor(maxApiVersion), minor(minApiVersion)];
  const expected = Array.from({ length: newest - oldest + 1 }, (_, at) => `1.${newest - at}`);
  expect(tabled()).toEqual(expected);
});

interface Shape {
  properties?: Record<string, Shape>;
  patternProperties?: Record<string, Shape>;
  items?: Shape;
  anyOf?: Shape[];
}

function has(shape: Shape | undefined, [name, ...rest]: readonly string[]): boolean {
  if (!shape) return false;
  if (name === undefined) return true;
  const inner = [...(shape.anyOf ?? []), ...(shape.items ? [shape.items] : [])];
  if (inner.some((one) => has(one, [name, ...rest]))) return true;
  const members = name === '*' ? Object.values(shape.patternProperties ?? {}) : [shape.properties?.[name]];
  return members.some((member) => has(member, rest));
}

describe('a field of a body', () => {
  test.each(all.filter(({ kind }) => kind === 'body'))('$version $request $field is decoded', ({ request, field }) => {
    const path = (field.split(' ')[0] ?? '').split('.');
    expect(has(routeOf(request)?.body?.schema as Shape | undefined, path)).toBe(true);
  });
});

describe('a parameter', () => {
  const documented = documentedParameters
    .trim()
    .split('\n')
    .map((text) => text.split(' '));

  test.each(all.filter(({ kind }) => kind === 'query'))(
    '$version $request $field is one that is looked after',
    ({ request, field }) => {
      const name = field.split(' ')[0] ?? '';
      const lines = documented.filter(([method, path]) => plain(`${method} ${path}`) === plain(request));
      expect(lines.flatMap(([, , ...names]) => names)).toContain(name);
    },
  );
});

test.each(all.filter(({ kind, state }) => kind === 'route' && state !== 'none'))(
  '$version $request is a route',
  ({ request }) => {
    expect(routeOf(request)).toBeDefined();
  },
);
