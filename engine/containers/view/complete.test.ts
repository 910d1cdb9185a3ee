import { expect, test } from 'vitest';
import { completeConfig, completeHostConfig } from './complete.js';

test('a container that was made with next to nothing shows every field, and what was given stays', () => {
  expect(completeConfig({ Image: 'busybox' })).toMatchObject({ Image: 'busybox', Tty: false, Env: null, Labels: {} });
  const host = completeHostConfig({ Memory: 5, Binds: null, Init: undefined });
  expect(host).toMatchObject({ Memory: 5, Binds: null, NanoCpus: 0, CapAdd: null, PortBindings: {} });
  expect(host).not.toHaveProperty('Init');
});
