import { expect, test } from 'vitest';
import { canonical, familiar, isDigest, parseAny, parseReference, withDefaultTag } from './references.js';

const digest = `sha256:${'0a'.repeat(32)}`;

test.each([
  ['busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b'],
  ['user/app', 'docker.io/user/app:latest', 'user/app'],
  ['localhost/app:x', 'localhost/app:x', 'localhost/app:x'],
  ['localhost:5000/a/b', 'localhost:5000/a/b:latest', 'localhost:5000/a/b'],
  ['[::1]:5000/a', '[::1]:5000/a:latest', '[::1]:5000/a'],
  ['REGISTRY/a', 'REGISTRY/a:latest', 'REGISTRY/a'],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
  [`busybox:1@${digest}`, `docker.io/library/busybox@${digest}`, `busybox:1@${digest}`],
  ['a__b/c--d.e', 'docker.io/a__b/c--d.e:latest', 'a__b/c--d.e'],
])('%s is %s', (text, full, short) => {
  const reference = parseReference(text);
  expect(canonical(withDefaultTag(reference))).toBe(full);
  expect(familiar(reference)).toBe(short);
  expect(canonical(parseReference(full))).toBe(full);
});

test.each([
  ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
  ['user/App', 'invalid reference format: repository name (user/App) must be lowercase'],
  ['', 'invalid reference format'],
  ['a:', 'invalid reference format'],
  ['a b', 'invalid reference format'],
  ['-a', 'invalid reference format'],
  ['a//b', 'invalid reference format'],
  ['../a', 'invalid reference format'],
  ['a@sha256:123', 'invalid reference format'],
  ['a:tag:more', 'invalid reference format'],
  ['a'.repeat(64), `invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  ['x'.repeat(256), 'repository name must not be more than 255 characters'],
])('%s is refused', (text, message) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ class: 'InvalidParameter', message }));
});

test('IDs are told from names', () => {
  expect(parseAny(digest)).toEqual({ kind: 'id', id: digest });
  expect(parseAny(digest.slice(7))).toEqual({ kind: 'id', id: digest });
  expect(parseAny(digest.slice(7, 19))).toMatchObject({ kind: 'name' });
  expect(isDigest(digest.toUpperCase())).toBe(false);
});
