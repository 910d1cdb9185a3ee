import { hookKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { describe, expect, test } from 'vitest';
import imageMirror from './image-mirror.js';

const common = {
  ID: 'x',
  Method: 'POST',
  Params: {},
  Version: '1.51',
  Headers: {},
  Caller: { Method: 'none', User: '' },
};

describe.each(['in-process', 'socket'] as const)('image-mirror, %s', (carrier) => {
  const start = () =>
    startForTest(imageMirror, { name: 'image-mirror', carrier, options: { mirror: 'mirror.example:5000/hub/' } });

  test.each([
    ['busybox', 'mirror.example:5000/hub/library/busybox'],
    ['busybox:1.36', 'mirror.example:5000/hub/library/busybox:1.36'],
    ['docker.io/library/busybox', 'mirror.example:5000/hub/library/busybox'],
    ['index.docker.io/team/app@sha256:0123', 'mirror.example:5000/hub/team/app@sha256:0123'],
    ['team/app', 'mirror.example:5000/hub/team/app'],
    ['ghcr.io/team/app', undefined],
    ['localhost/app', undefined],
    ['registry:5000/app', undefined],
    [`sha256:${'a'.repeat(64)}`, undefined],
    ['0123456789ab', undefined],
    ['mirror.example:5000/hub/library/busybox', undefined],
  ])('%s is %s', async (name, mirrored) => {
    await using plugin = await start();
    const { Request } = plugin.client(hookKind);
    const set = (Path: string) => (mirrored === undefined ? {} : { Set: [{ Path, Value: mirrored }] });
    const created = await Request({ ...common, Route: '/containers/create', Query: {}, Body: { Image: name } });
    expect(created).toEqual(set('Body.Image'));
    const pulled = await Request({ ...common, Route: '/images/create', Query: { fromImage: name, tag: 'latest' } });
    expect(pulled).toEqual(set('Query.fromImage'));
  });

  test('an import names no image, and a create may name none', async () => {
    await using plugin = await start();
    const { Request } = plugin.client(hookKind);
    expect(await Request({ ...common, Route: '/images/create', Query: { fromSrc: '-' } })).toEqual({});
    expect(await Request({ ...common, Route: '/containers/create', Query: {} })).toEqual({});
  });
});
