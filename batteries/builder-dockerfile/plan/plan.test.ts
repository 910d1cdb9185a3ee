import { describe, expect, test } from 'vitest';
import { readDockerfile } from '../language/dockerfile.js';
import { automaticArguments, globalArguments, proxyVariables, unusedArguments } from './arguments.js';
import { hostPlatform, parsePlatform, platformText, refuseForeign } from './platform.js';
import { originOf, planBuild } from './stages.js';

const amd64 = { os: 'linux', architecture: 'amd64' };
const plan = (text: string, target = '', contexts: string[] = [], buildArgs: Record<string, string> = {}) => {
  const dockerfile = readDockerfile(text);
  const globals = globalArguments(dockerfile, automaticArguments(amd64, amd64, target), buildArgs);
  return planBuild(dockerfile, { globals, target, contexts: new Set(contexts) });
};

describe('stages', () => {
  const text =
    'FROM a AS one\nFROM b AS two\nCOPY --from=one x y\nFROM one\nRUN --mount=from=two,target=/t x\nFROM c AS four';

  test.each([
    ['', 3, [3]],
    ['one', 0, [0]],
    ['TWO', 1, [0, 1]],
    ['2', 2, [0, 1, 2]],
  ])('the target %j needs only what it is made of', (target, index, needed) => {
    expect(plan(text, target)).toMatchObject({ target: index, needed });
  });

  test.each([
    ['FROM x', [], { kind: 'image', reference: 'x' }],
    ['FROM scratch', [], { kind: 'scratch' }],
    ['ARG V=1\nFROM x:$V', [], { kind: 'image', reference: 'x:1' }],
    ['FROM $TARGETARCH/x', [], { kind: 'image', reference: 'amd64/x' }],
    ['FROM x', ['x'], { kind: 'context', name: 'x' }],
    ['FROM x', ['docker.io/library/x:latest'], { kind: 'context', name: 'docker.io/library/x:latest' }],
    ['FROM r.io/x:1', ['r.io/x:1'], { kind: 'context', name: 'r.io/x:1' }],
    ['FROM x AS mine\nRUN y', ['mine'], { kind: 'context', name: 'mine' }],
  ])('%j with the contexts %j stands on %j', (file, contexts, base) => {
    expect(plan(file, '', contexts).stages[0]?.base).toEqual(base);
  });

  test('an earlier stage of that name comes before an image', () => {
    expect(plan('FROM a AS x\nFROM X').stages[1]?.base).toEqual({ kind: 'stage', index: 0 });
    expect(plan('FROM x\nFROM a AS x').stages[0]?.base).toEqual({ kind: 'image', reference: 'x' });
  });

  test.each([
    ['$X', 'copy', 'variable expansion is not supported for --from'],
    ['9', 'copy', 'invalid stage index 9'],
    ['four', 'copy', 'cannot copy from stage "four", it needs to be defined before current stage "two"'],
    ['two', 'mount', 'cannot mount from stage "two", stage needs to be defined before current command'],
  ] as const)('--from=%s of a %s is refused', (from, verb, message) => {
    const { stages } = plan(text);
    const [, here] = stages;
    expect(() => here && originOf(stages, from, here, new Set(), verb)).toThrow(message);
  });

  test.each([
    ['FROM $NOTHING', '', 'base name ($NOTHING) should not be blank'],
    ['FROM --platform=$NOTHING x', '', 'empty platform value from expression $NOTHING'],
    ['FROM x AS build', 'buidl', 'target stage "buidl" could not be found (did you mean build?)'],
    ['FROM x', '1', 'invalid stage index 1'],
  ])('%j with the target %j: %s', (file, target, message) => expect(() => plan(file, target)).toThrow(message));
});

describe('arguments before the first FROM', () => {
  const values = (text: string, buildArgs = {}) =>
    globalArguments(
      readDockerfile(`${text}\nFROM x`),
      automaticArguments(amd64, parsePlatform('linux/arm/v7'), 'app'),
      buildArgs,
    );

  test('have defaults, see each other, and are overridden', () => {
    expect(
      Object.fromEntries(values('ARG A=1 B=${A}2\nARG C\nARG D=$TARGETVARIANT', { B: 'given', TARGETOS: 'other' })),
    ).toMatchObject({
      ...{ A: '1', B: 'given', D: 'v7', TARGETOS: 'other' },
      ...{ BUILDPLATFORM: 'linux/amd64', TARGETPLATFORM: 'linux/arm/v7', TARGETARCH: 'arm', TARGETSTAGE: 'app' },
    });
    expect(values('ARG C').has('C')).toBe(false);
  });

  test('proxies need none, and are no mistake', () => {
    expect(proxyVariables({ http_proxy: 'p', OTHER: 'x' })).toEqual({ http_proxy: 'p', HTTP_PROXY: 'p' });
    expect(unusedArguments({ NO_PROXY: 'x', A: '', B: '', BUILDKIT_INLINE_CACHE: '1' }, new Set(['A']))).toEqual(['B']);
  });
});

describe('platforms', () => {
  test.each([
    ['linux/amd64', 'linux/amd64'],
    ['amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/aarch64/v8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['armel', 'linux/arm/v6'],
    ['windows/amd64', 'windows/amd64'],
    ['linux', platformText(hostPlatform())],
  ])('%s is %s', (text, expected) => expect(platformText(parsePlatform(text))).toBe(expected));

  test.each(['', 'a/b/c/d', 'nonsense', 'linux/am d64'])('%j is none', (text) => {
    expect(() => parsePlatform(text)).toThrow('unknown operating system or architecture');
  });

  test('programs of the host run, of another system never', () => {
    expect(() => refuseForeign(hostPlatform())).not.toThrow();
    expect(() => refuseForeign({ os: 'windows', architecture: 'amd64' })).toThrow('this is a Linux host');
    expect(() => refuseForeign({ os: 'linux', architecture: 'pdp11' })).toThrow('register an interpreter');
  });
});
