import { expect, test } from 'vitest';
import { imageName, imagePattern } from './image-names.js';

const hex = 'a'.repeat(64);
test.each([
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1', 'docker.io/library/busybox:1'],
  ['me/app', 'docker.io/me/app:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['index.docker.io/me/app:2', 'docker.io/me/app:2'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['r.example.org/a/b:1', 'r.example.org/a/b:1'],
  [`busybox@sha256:${hex}`, `docker.io/library/busybox@sha256:${hex}`],
  [`sha256:${hex}`, `sha256:${hex}`],
  [hex, `sha256:${hex}`],
])('%s is %s', (text, name) => expect(imageName(text)).toBe(name));

test.each([
  ['*', '*'],
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:*', 'docker.io/library/busybox:*'],
  ['busybox@sha256:*', 'docker.io/library/busybox@sha256:*'],
  ['me/*', 'docker.io/me/*'],
  ['r.example.org/*', 'r.example.org/*'],
  ['*.example.org/*', '*.example.org/*'],
  ['sha256:*', 'sha256:*'],
])('the pattern %s is %s', (text, found) => expect(imagePattern(text)).toBe(found));
