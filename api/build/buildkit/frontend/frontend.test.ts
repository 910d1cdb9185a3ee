import { notImplemented, systemError } from '@cleat/protocol/errors';
import { StatusError } from '@cleat/protocol/grpc/status';
import { describe, expect, test } from 'vitest';
import { exportersOf } from '../export/exporters.js';
import { cacheTargets, namedSources, settingsOf } from './attributes.js';
import { ignorePatterns, needsOf } from './dockerfile-text.js';
import { asBuildKitSays, buildError } from './failure.js';
import { answerQuestion } from './questions.js';
import { definitionOf, imageOf } from './references.js';

const settings = (attributes: Record<string, string>) => settingsOf(new Map(Object.entries(attributes)), []);

describe('attributes', () => {
  test('say what the engine builds', () => {
    expect(
      settings({
        target: 't',
        platform: 'linux/amd64',
        'build-arg:A': '1',
        'label:l': 'v',
        'no-cache': 'a,b',
        'image-resolve-mode': 'pull',
        'force-network-mode': 'host',
        'add-hosts': 'h=1.2.3.4,i=::1',
        ulimit: 'nofile=1:2,core=0',
        'shm-size': '1024',
        'cgroup-parent': 'p',
        'cache-imports': '[{"Type":"registry","Attrs":{"ref":"r/c"}},{"Type":"gha","Attrs":{}}]',
        'cache-from': 'r/d,r/c',
      }),
    ).toMatchObject({
      DockerfileName: 'Dockerfile',
      Target: 't',
      Platform: 'linux/amd64',
      BuildArgs: { A: '1' },
      Labels: { l: 'v' },
      NoCache: false,
      NoCacheFilter: ['a', 'b'],
      Pull: true,
      Network: 'host',
      ExtraHosts: ['h:1.2.3.4', 'i:::1'],
      Ulimits: [
        { Name: 'nofile', Soft: 1, Hard: 2 },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      ShmSize: 1024,
      CgroupParent: 'p',
      CacheFrom: ['r/d', 'r/c', 'type=registry,ref=r/c', 'type=gha'],
    });
    expect(settings({ 'no-cache': '' })).toMatchObject({ NoCache: true });
    expect(settings({ 'image-resolve-mode': 'local' }).Pull).toBeUndefined();
  });

  test.each([
    [{ 'attest:sbom': '' }, 'NotImplemented', /attestations: build without/],
    [{ 'build-arg:BUILDKIT_ATTEST_SBOM': '' }, 'NotImplemented', /attestations: build without/],
    [{ 'attest:odd': '' }, 'InvalidParameter', /unknown attestation type "odd"/],
    [{ platform: 'linux/amd64,linux/arm64' }, 'NotImplemented', /one at a time/],
    [{ hostname: 'h' }, 'NotImplemented', /leave it out/],
    [{ ulimit: 'x' }, 'InvalidParameter', /ulimit/],
    [{ 'shm-size': 'lots' }, 'InvalidParameter', /shm-size/],
    [{ 'cache-imports': '{' }, 'InvalidParameter', /cache-imports/],
  ])('%j is refused', (attributes, errorClass, message) => {
    expect(() => settings(attributes as Record<string, string>)).toThrow(
      expect.objectContaining({ class: errorClass, message: expect.stringMatching(message) }),
    );
  });

  test('contexts have their kind', () => {
    const sources = namedSources(
      new Map([
        ['context:a', 'docker-image://busybox:1'],
        ['context:b', 'local:b'],
        ['context:c', 'input:c'],
        ['context:d', 'https://x/y.git'],
      ]),
    );
    expect(sources).toEqual([
      { name: 'a', kind: 'image', value: 'busybox:1' },
      { name: 'b', kind: 'local', value: 'b' },
      { name: 'c', kind: 'input', value: 'c' },
      { name: 'd', kind: 'remote', value: 'https://x/y.git' },
    ]);
    for (const value of ['oci-layout://x', 'what:ever'])
      expect(() => namedSources(new Map([['context:e', value]]))).toThrow();
  });

  test('caches are told as they were given', () => {
    const entries = [{ Type: 'inline' }, { Type: 'local', Attrs: new Map([['dest', '/a,b']]) }];
    expect(cacheTargets(entries)).toEqual(['type=inline', 'type=local,"dest=/a,b"']);
  });
});

describe('a Dockerfile’s text', () => {
  test('names what only the client has', () => {
    const text = [
      'ARG REG=ghcr.io',
      'ARG V',
      'FROM --platform=linux/amd64 ${REG}/a/b:$V AS base',
      'FROM "quay.io/x"',
      'FROM scratch',
      'FROM busybox',
      'RUN --mount=type=secret,id=one --mount=type=ssh \\',
      '    --mount=type=secret,target=/run/two,required=true true',
      'RUN --mount=type=secret,env=X,id=three --mount=type=ssh,id=other --mount=type=bind,from=r.io:5000/t,target=/t true',
      'COPY --from=localhost:5000/c /a /b',
    ].join('\n');
    const { secrets, agents, registries } = needsOf(text, { V: '3' }, ['cache.example/x']);
    expect(secrets).toEqual(['one', 'two', 'three']);
    expect(agents).toEqual(['default', 'other']);
    expect(registries.toSorted()).toEqual([
      'cache.example',
      'docker.io',
      'ghcr.io',
      'localhost:5000',
      'quay.io',
      'r.io:5000',
    ]);
    expect(needsOf('ADD git@github.com:x/y /z', {}, [])).toMatchObject({ agents: ['default'] });
  });

  test.each([
    ['empty lines', '\n'.repeat(500_000)],
    ['mounts', '--mount='.repeat(200_000)],
    ['a word', `ARG A=${'x'.repeat(1_000_000)}\nCOPY --from=${'$A'.repeat(1_000_000)}`],
    ['words', `ARG A=${'x'.repeat(1_000_000)}\n${`COPY --from=${'$A'.repeat(1000)}\n`.repeat(20)}`],
  ])('of nothing but %s holds nobody up', (_what, text) => {
    expect(needsOf(`${text}\nFROM busybox`, {}, [])).toEqual({ secrets: [], agents: [], registries: ['docker.io'] });
  });

  test('rules are read as moby’s', () => {
    const text = '\uFEFF# none\n  a/../b/  \n!c\n/abs/x\n\n! d\n./e\r\n!\n/\n';
    expect(ignorePatterns(text)).toEqual(['b', '!c', 'abs/x', '!d', 'e', '!', '/']);
  });
});

test('questions are the builder’s; one that it does not know is told as BuildKit’s clients expect it', async () => {
  const { signal } = new AbortController();
  const ask = async ({ Question }: { Question: string }) => {
    if (Question !== 'frontend.lint') throw notImplemented('it answers frontend.lint');
    return new Map([['result.json', '{}']]);
  };
  const { metadata } = await answerQuestion({ ask }, { Question: 'frontend.lint', Dockerfile: '/d' }, signal);
  expect(Buffer.from(metadata.get('result.json') ?? []).toString()).toBe('{}');
  const refused = await answerQuestion({ ask }, { Question: 'x', Dockerfile: '/d' }, signal).catch((error) => error);
  expect(refused.typed[0].typeUrl).toContain('errdefs.Subrequest');
  expect(refused.message).toContain('it answers frontend.lint');
});

test.each([
  [
    "The command '/bin/sh -c x' returned a non-zero code: 3",
    'process "/bin/sh -c x" did not complete successfully: exit code: 3',
  ],
  [
    'COPY failed: file not found in build context or excluded by .dockerignore: stat a/b: file does not exist',
    'failed to compute cache key: failed to calculate checksum of ref context: "/a/b": not found',
  ],
  ['something else', 'something else'],
])('%s is said as BuildKit does', (message, expected) => {
  expect(asBuildKitSays(message)).toBe(expected);
});

test('the place of an error comes with the lines around it, however long the Dockerfile is', () => {
  const text = Array.from({ length: 3000 }, (_, index) => `RUN line ${index + 1}`).join('\n');
  const error = buildError(systemError('no', { details: { line: 2000 } }), { name: 'Dockerfile', text });
  const [detail] = error instanceof StatusError ? error.typed : [];
  expect(detail?.value.length).toBeLessThan(16 * 1024);
  const { info, ranges } = JSON.parse(Buffer.from(detail?.value ?? []).toString());
  expect(ranges).toEqual([{ start: { line: 2000 }, end: { line: 2000 } }]);
  const lines = Buffer.from(info.data, 'base64').toString().split('\n');
  expect(lines.slice(1995, 2004)).toEqual(text.split('\n').slice(1995, 2004));
});

test('a result goes through a client’s hands', () => {
  const image = `sha256:${'a'.repeat(64)}`;
  expect(imageOf(definitionOf(image))).toBe(image);
  expect(imageOf({ def: [] })).toBeUndefined();
  expect(imageOf(undefined)).toBeUndefined();
});

describe('exporters', () => {
  const one = (Type: string, attributes: Record<string, string> = {}) =>
    exportersOf([{ Type, Attrs: new Map(Object.entries(attributes)) }]);
  test('are those that are served', () => {
    expect(one('moby', { name: 'a,b:1', push: 'true' })).toEqual([
      { type: 'image', id: 0, names: ['a', 'b:1'], push: true },
    ]);
    for (const type of ['image', 'docker', 'oci', 'tar', 'local']) expect(one(type)).toMatchObject([{ type }]);
  });
  test.each<[string, Record<string, string>]>([
    ['registry', {}],
    ['image', { push: 'true' }],
    ['image', { 'annotation.x': 'y' }],
    ['oci', { tar: 'false' }],
    ['docker', { compression: 'zstd' }],
    ['local', { mode: 'odd' }],
    ['toString', {}],
  ])('%s with %j is refused', (type, attributes) => {
    expect(() => one(type, attributes)).toThrow(/not served|tag is needed|leave tar|invalid/);
  });
});
