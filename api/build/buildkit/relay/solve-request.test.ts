import { solveRequest } from '@cleat/protocol/buildkit/control';
import { message, string } from '@cleat/protocol/grpc/message';
import { describe, expect, test } from 'vitest';
import { engineSolve } from './solve-request.js';

type Asked = Parameters<typeof solveRequest.encode>[0];
const rewritten = (asked: Asked) => {
  const found = engineSolve(solveRequest.encode({ Ref: 'r', Session: 'theirs', ...asked }));
  return found && { ...found, request: solveRequest.decode(found.encode('ours')) };
};
const moby = (attributes: Record<string, string> = {}) => ({
  Type: 'moby',
  Attrs: new Map(Object.entries(attributes)),
});

describe('a call of Solve', () => {
  test.each<[string, Asked]>([
    ['without exporters', {}],
    ['with others', { Exporters: [{ Type: 'image', Attrs: new Map([['push', 'true']]) }, { Type: 'local' }] }],
    ['of an old client with another', { ExporterDeprecated: 'tar' }],
  ])('%s goes on as it is', (_which, asked) => expect(rewritten(asked)).toBeUndefined());

  test('leaves an image with the engine by an archive', () => {
    const attributes = { name: 'app:1,b', unpack: 'true', 'annotation.a': 'b', tar: 'false', load: 'true' };
    const { request, images, needsSeveral, session } =
      rewritten({
        Exporters: [{ Type: 'local', Attrs: new Map([['dest', '/d']]) }, moby(attributes)],
      }) ?? expect.fail();
    expect({ images, needsSeveral, session }).toEqual({
      images: [{ number: 1, names: ['app:1', 'b'] }],
      needsSeveral: false,
      session: 'theirs',
    });
    const archive = new Map(Object.entries({ compression: 'uncompressed', name: 'app:1,b', 'annotation.a': 'b' }));
    expect(request.Exporters).toEqual([
      { Type: 'local', Attrs: new Map([['dest', '/d']]) },
      { Type: 'oci', Attrs: archive },
    ]);
    expect(request).toMatchObject({ Ref: 'r', Session: 'ours', ExporterDeprecated: 'local' });
  });

  test('that is an old client’s has the exporter where an old BuildKit looks for it', () => {
    const { request } =
      rewritten({ ExporterDeprecated: 'moby', ExporterAttrsDeprecated: moby({ name: 'x' }).Attrs }) ?? expect.fail();
    expect(request.ExporterDeprecated).toBe('oci');
    expect(request.ExporterAttrsDeprecated.get('name')).toBe('x');
    expect(request.Exporters).toMatchObject([{ Type: 'oci' }]);
  });

  test('that pushes has an exporter more, and the same digest in both places', () => {
    const { request, needsSeveral } =
      rewritten({ Exporters: [moby({ name: 'r/x', push: 'true', compression: 'zstd' })] }) ?? expect.fail();
    expect(needsSeveral).toBe(true);
    expect(request.Exporters).toEqual([
      {
        Type: 'oci',
        Attrs: new Map([
          ['name', 'r/x'],
          ['compression', 'zstd'],
        ]),
      },
      {
        Type: 'image',
        Attrs: new Map(
          Object.entries({ name: 'r/x', push: 'true', compression: 'zstd', store: 'false', unpack: 'false' }),
        ),
      },
    ]);
  });

  test('keeps fields that nobody here knows', () => {
    const future = message({ words: string(77) });
    const bytes = Buffer.concat([solveRequest.encode({ Exporters: [moby()] }), future.encode({ words: 'later' })]);
    expect(future.decode(engineSolve(bytes)?.encode('s') ?? expect.fail())).toEqual({ words: 'later' });
  });
});
