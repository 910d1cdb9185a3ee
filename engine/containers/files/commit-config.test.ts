import { expect, test } from 'vitest';
import { committedConfig } from './commit-config.js';

const options = { repository: '', tag: '', comment: '', author: '', pause: true, changes: [] };
const own = {
  Hostname: 'h',
  Cmd: ['c1', 'c2'],
  Entrypoint: ['e'],
  Env: ['A=1', 'K=k'],
  Labels: { x: 'y' },
  Shell: ['zsh'],
  StopTimeout: 3,
  Volumes: { '/v': {} },
  Healthcheck: { Test: ['CMD', 't'], Retries: 2 },
  Tty: true,
};

/** Values of a stock engine. */
test('the fields of a request go over the container’s own configuration', () => {
  const config = {
    Env: ['A=2'],
    User: 'u',
    Labels: { z: '1' },
    WorkingDir: '/w',
    Entrypoint: ['n'],
    Tty: false,
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/w': {} },
    StopSignal: 'SIGINT',
    Healthcheck: { Interval: 5e9 },
  };
  const { Shell, StopTimeout, ...result } = committedConfig(own, { ...options, config, changes: ['ENV B=$A'] });
  expect(result).toMatchObject({
    User: 'u',
    ExposedPorts: { '80/tcp': {} },
    Env: ['A=2', 'B=2', 'K=k'],
    Cmd: null,
    Entrypoint: ['n'],
    WorkingDir: '/w',
    Labels: { x: 'y', z: '1' },
    StopSignal: 'SIGINT',
    Volumes: { '/v': {}, '/w': {} },
    Healthcheck: { Test: ['CMD', 't'], Interval: 5e9, Retries: 2 },
    Tty: false,
    Hostname: '',
  });
  expect([Shell, StopTimeout]).toEqual([undefined, undefined]);
});

test('without one the container’s own is changed', () => {
  expect(committedConfig(own, { ...options, changes: ['USER me', 'ENTRYPOINT ["f"]'] })).toMatchObject({
    ...own,
    Hostname: '',
    User: 'me',
    Entrypoint: ['f'],
    Cmd: null,
  });
  expect(committedConfig(own, { ...options, config: {} })).toMatchObject({ Cmd: ['c1', 'c2'], Entrypoint: ['e'] });
});

test.each([
  [{ repository: 'UPPER' }, 'invalid reference format: repository name (library/UPPER) must be lowercase'],
  [{ repository: 'a', tag: ':' }, 'invalid tag format'],
  [{ repository: 'scratch' }, "'scratch' is a reserved name"],
  [{ changes: ['FOO x'] }, 'FOO is not a valid change command'],
])('%j is refused before work begins', (wrong, message) => {
  expect(() => committedConfig(own, { ...options, ...wrong })).toThrow(message);
});
