import { chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Root } from './root.js';
import { tarIn } from './tar-in.js';
import { tarOut } from './tar-out.js';

const ranges = (outside: number) => [{ inside: 0, outside, count: 10 }];
const owners = { users: ranges(1000), groups: ranges(2000) };
let top: string;
beforeAll(() => {
  top = mkdtempSync('/tmp/cleat-owners-');
  for (const name of ['from', 'to']) mkdirSync(join(top, name));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

async function copy(options: { out?: typeof owners; in?: typeof owners; owner?: { uid: number; gid: number } }) {
  using from = new Root(join(top, 'from'));
  using to = new Root(join(top, 'to'));
  const pieces = [
    ...tarOut(from, '/file', { entryName: 'deep/file', ...(options.out && { owners: options.out }) }),
  ].map((piece) => Buffer.from(piece));
  const source = (async function* () {
    yield* pieces;
  })();
  const { owner } = options;
  await tarIn(to, '/', source, { ...(options.in && { owners: options.in }), ...(owner && { owner }) });
  const facts = (path: string) => {
    const { uid, gid } = lstatSync(join(top, 'to', path));
    return [uid, gid];
  };
  const both = { directory: facts('deep'), file: facts('deep/file') };
  rmSync(join(top, 'to', 'deep'), { recursive: true });
  return both;
}

test('an archive has the owners of the user namespace, and files of it those of the host', async () => {
  writeFileSync(join(top, 'from', 'file'), 'x');
  chownSync(join(top, 'from', 'file'), 1003, 2004);
  expect(await copy({ out: owners })).toEqual({ directory: [0, 0], file: [3, 4] });
  expect(await copy({ out: owners, in: owners })).toEqual({ directory: [1000, 2000], file: [1003, 2004] });
  expect(await copy({ in: owners, owner: { uid: 1, gid: 2 } })).toEqual({
    directory: [1000, 2000],
    file: [1001, 2002],
  });
});

test('an owner whom the namespace does not have is nobody in an archive, and refused in files', async () => {
  chownSync(join(top, 'from', 'file'), 5, 6);
  expect((await copy({ out: owners })).file).toEqual([65_534, 65_534]);
  chownSync(join(top, 'from', 'file'), 77, 6);
  await expect(copy({ in: owners })).rejects.toThrow('Container ID 77 cannot be mapped to a host ID');
});
