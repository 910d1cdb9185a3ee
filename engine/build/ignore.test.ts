import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IgnorePatterns, ignoreFilesOf, readIgnoreFile } from './ignore.js';

const ignores = (lines: readonly string[] | string, path: string) =>
  new IgnorePatterns(typeof lines === 'string' ? [lines] : lines).ignores(path);

/** Cases of moby's patternmatcher_test.go, and some more. */
test.each<[pattern: string, path: string, ignored: boolean]>([
  ['**', 'file', true],
  ['**', 'file/', true],
  ['**/', 'file', true],
  ['**/', 'dir/file', true],
  ['**', '/', true],
  ['**', 'dir/dir/file', true],
  ['**/**', 'dir/file', true],
  ['dir/**', 'dir/file', true],
  ['dir/**', 'dir/dir2/file/', true],
  ['**/dir2/*', 'dir/dir2/file', true],
  ['**/dir2/**', 'dir/dir2/dir2/file', true],
  ['**file', 'file', true],
  ['**file', 'dir/dir/file', true],
  ['**/file', 'dir/file', true],
  ['**file', 'dir/file.txt', false],
  ['**/file*', 'dir/dir/file.txt', true],
  ['**/file*txt', 'dir/dir/file.txt', true],
  ['**/file*.txt', 'dir/dir/file.txt', true],
  ['**/file*.txt*', 'dir/dir/file.txt', true],
  ['**/**/*.txt', 'dir/dir/file.txt', true],
  ['**/**/*.txt2', 'dir/dir/file.txt', false],
  ['**/*.txt', 'file.txt', true],
  ['**/**/*.txt', 'file.txt', true],
  ['a**/*.txt', 'a/file.txt', true],
  ['a**/*.txt', 'a/dir/file.txt', true],
  ['a/*.txt', 'a/dir/file.txt', false],
  ['a/**/*.txt', 'a/dir/dir/file.txt', true],
  ['a[b-d]e', 'ae', false],
  ['a[b-d]e', 'ace', true],
  ['a[^b-d]e', 'aze', true],
  ['.*', '.foo', true],
  ['.*', 'foo', false],
  ['abc.def', 'abcdef', false],
  ['abc.def', 'abcZdef', false],
  ['abc?def', 'abcZdef', true],
  ['abc?def', 'abcdef', false],
  ['a\\\\', 'a\\', true],
  ['**/foo/bar', 'dir/dir2/foo/bar', true],
  ['abc/**', 'abc', false],
  ['abc/**', 'abc/def/ghi', true],
  ['**/.foo', 'bar/.foo', true],
  ['**/.foo', 'bar.foo', false],
  ['./bar.*', 'bar.baz', true],
  ['a(b)c/def', 'a(b)c/def', true],
  ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
  [
    'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
    'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
    true,
  ],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['a\\-b?', 'a-bc', true],
  ['x]y*', 'x]yz', true],
  ['a[\\]]b', 'a]b', true],
  ['dir', 'dir/deep/file', true],
  ['*/x', 'a/x/deep/down', true],
  ['*', '.', false],
  ['??', '🙂x', true],
])('%s and %s: %s', (pattern, path, ignored) => {
  expect(ignores(pattern, path)).toBe(ignored);
});

test.each<[patterns: string[], path: string, ignored: boolean]>([
  [['**', '!util/docker/web'], 'util/docker/web/foo', false],
  [['**', '!util/docker/web', 'util/docker/web/foo'], 'util/docker/web/foo', true],
  [['**', '!dist/proxy.py-2.4.0+g-py3.whl'], 'dist/proxy.py-2.4.0+g-py3.whl', false],
  [['docs', '!docs/README.md'], 'docs/README.md', false],
  [['docs', '!docs/README.md'], 'docs/other.md', true],
  [['docs/README.md', '!docs'], 'docs/README.md', false],
  [['*.md', '!README*.md', 'README-secret.md'], 'README-secret.md', true],
  [['*.md', '!README*.md', 'README-secret.md'], 'README-1.md', false],
  [['!a', 'a'], 'a', true],
  [['*', '!a/b'], 'a/c', true],
  [['*', '!a/b'], 'a/b/c', false],
])('%s: %s: %s', (patterns, path, ignored) => {
  expect(ignores(patterns, path)).toBe(ignored);
});

test.each(['[', '[^', '[^]', '[a', '[]a]', '[-]', '[x-]', '[-x]', '[a-b-c]', 'a[', '\\', 'x[z-a]', '!'])(
  '%s is refused',
  (pattern) => {
    expect(() => new IgnorePatterns([pattern])).toThrow(/syntax error in pattern|illegal exclusion pattern: "!"/);
  },
);

test('a file is read as moby reads it', () => {
  const text = '\uFEFF# first\n#second\n\n /test1\n/test2 \n  ./a/../b/ \n! /c/\n!\n /\n a\\ b\r\n #no comment';
  expect(readIgnoreFile(Buffer.from(text))).toEqual([
    ...['test1', 'test2', 'b', '!c', '!', '/', 'a\\ b', '#no comment'],
  ]);
  expect(ignoreFilesOf('docker/app.Dockerfile')).toEqual(['docker/app.Dockerfile.dockerignore', '.dockerignore']);
});

describe('for all names', () => {
  const name = fc
    .stringMatching(/^[a-zA-Z0-9_.+()|{}$ -]{1,8}$/)
    .filter((one) => !/^\.+$/.test(one) && one.trim() === one);
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));

  test('a name ignores itself and all below it, and nothing else', () => {
    fc.assert(
      fc.property(path, name, (directory, below) => {
        fc.pre(!directory.startsWith('!'));
        expect(ignores(directory, directory)).toBe(true);
        expect(ignores(directory, `${directory}/${below}`)).toBe(true);
        expect(ignores(directory, `${directory}x`)).toBe(false);
      }),
    );
  });

  test('a name that is taken back last is kept', () => {
    fc.assert(
      fc.property(path, (kept) => {
        expect(ignores(['**', `!${kept}`], kept)).toBe(false);
        expect(ignores(['**', `!${kept}`, kept], kept)).toBe(true);
      }),
    );
  });

  test('a pattern is refused, or judges', () => {
    const pattern = fc.stringMatching(/^[a-c*?[\]\\^!/.-]{1,12}$/);
    fc.assert(
      fc.property(pattern, path, (one, other) => {
        let patterns: IgnorePatterns;
        try {
          patterns = new IgnorePatterns([one]);
        } catch (error) {
          expect(error).toMatchObject({ class: 'InvalidParameter' });
          return;
        }
        expect(typeof patterns.ignores(other)).toBe('boolean');
      }),
    );
  });
});
