import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { containerRoutes } from '@cleat/api/containers/routes';
import { execRoutes } from '@cleat/api/exec/routes';
import type { Route } from '@cleat/api/http/router';
import { networkRoutes } from '@cleat/api/networks/routes';
import type { ApiServices } from '@cleat/api/services';
import { systemRoutes } from '@cleat/api/system/routes';
import { volumeRoutes } from '@cleat/api/volumes/routes';
import { describe, expect, test } from 'vitest';
import { readFields } from './readers.js';

/** A field that is decoded has a reader; a field of Docker's API is decoded, or the table says why it is not. */
const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(`${root}docs/guide/api.md`, 'utf8');
const [withoutEffect = [], notDecoded = []] = page.split('\n## ').slice(1).map(rowsOf);

/** Docker's requests, taken from moby's `api/swagger.yaml`; what is refused as a whole is left out. */
const moby = JSON.parse(readFileSync(new URL('moby-api.json', import.meta.url), 'utf8')) as {
  bodies: Record<string, string[]>;
};

// Making routes asks nothing of the services.
const services = {} as ApiServices;
const routes: Route[] = [
  ...containerRoutes(services),
  ...execRoutes(services),
  ...networkRoutes(services),
  ...volumeRoutes(services),
  ...systemRoutes(services, {}),
];

/** Cells of a table's rows, each as what stands in backquotes. */
function rowsOf(section: string): string[][][] {
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)),
    );
}

interface Shape {
  properties?: Record<string, Shape>;
  patternProperties?: Record<string, Shape>;
  items?: Shape;
  anyOf?: Shape[];
}

/** Paths of a schema's members; `*` stands for the keys of a map. */
function pathsOf(shape: Shape, path = ''): string[] {
  const below = (name: string) => (path === '' ? name : `${path}.${name}`);
  return [
    ...Object.entries(shape.properties ?? {}).flatMap(([name, inner]) => [below(name), ...pathsOf(inner, below(name))]),
    ...Object.values(shape.patternProperties ?? {}).flatMap((inner) => pathsOf(inner, below('*'))),
    ...(shape.items ? pathsOf(shape.items, path) : []),
    ...(shape.anyOf ?? []).flatMap((inner) => pathsOf(inner, path)),
  ];
}

describe('a decoded field', () => {
  const fields = readFields();
  const names = [...fields.keys()].map(({ name }) => name);

  test('is found by the checker, all of it', () => {
    const members = new Set([...fields.keys()].map(({ member }) => member));
    const decoded = routes.flatMap(({ body }) => (body ? pathsOf(body.schema as Shape) : []));
    expect(decoded.length).toBeGreaterThan(200);
    expect(decoded.filter((path) => !members.has(path.split('.').at(-1) ?? ''))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  test('has a reader, or the table says why it has none', () => {
    const unread = [...fields].filter(([, reads]) => reads.length === 0).map(([{ name }]) => name);
    const rows = withoutEffect.flatMap(([cell = []]) => cell);
    expect(unread.filter((name) => !rows.includes(name))).toEqual([]);
    // A row that is no longer true goes; one that only says "Not served yet" may be overtaken.
    const overdue = rows.filter((name) => !unread.includes(name) && !page.includes(`\`${name}\` | Not served yet`));
    expect(overdue).toEqual([]);
  });

  test.each([
    ['Mount.VolumeOptions.DriverConfig.Name', 'engine/containers/create/mount-spec.ts'],
    ['EndpointSettings.IPAMConfig.IPv4Address', 'engine/networks/requested.ts'],
    ['HealthConfig.StartInterval', 'engine/health/probe.ts'],
    ['resources.PidsLimit', 'engine/oci/resources.ts'],
    ['legacyResources.CpuShares', 'api/containers/legacy-resources.ts'],
  ])('%s is read by %s', (name, file) => {
    const [, reads = []] = [...fields].find(([field]) => field.name === name) ?? [];
    expect(reads.map((read) => read.file)).toContain(file);
  });

  test('a member of the same name elsewhere, a copy and a version’s gate are no readers', () => {
    const filesOf = (name: string) =>
      new Set([...fields].flatMap(([field, reads]) => (field.name === name ? reads.map(({ file }) => file) : [])));
    // An exec has its own AttachStdin, which is read; inspect has its own Gateway.
    expect(filesOf('ExecCreateRequest.AttachStdin').size).toBeGreaterThan(0);
    expect(filesOf('ContainerConfig.AttachStdin').size).toBe(0);
    expect(filesOf('IpamConfig.Gateway').size).toBeGreaterThan(0);
    expect(filesOf('EndpointSettings.Gateway').size).toBe(0);
    expect(filesOf('ContainerConfig.OnBuild').size).toBe(0);
    expect(filesOf('Mount.BindOptions.ReadOnlyForceRecursive').has('api/containers/create-versions.ts')).toBe(false);
  });
});

describe('a field of Docker’s API', () => {
  const plain = (path: string) => path.replace(/:\w+|\{\w+\}/g, ':');
  const excused = (request: string) =>
    notDecoded.flatMap(([[of = ''] = [], cell = []]: string[][]) => (plain(of) === plain(request) ? cell : []));

  test.each(Object.entries(moby.bodies))('%s', (request, body) => {
    const route = routes.find(({ method, path }) => plain(`${method} ${path}`) === plain(request));
    const decoded = new Set(pathsOf((route?.body?.schema ?? {}) as Shape));
    expect(body.filter((path) => !decoded.has(path)).sort()).toEqual(excused(request).sort());
  });
});
