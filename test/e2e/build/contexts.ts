import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { builder, busybox, contexts, dockerfile, type Entry, post, type Sent, tarOf } from './bench.js';

/** Contexts on their way to a builder. */
export function contextTests(): void {
  /** The files that the builder sees, and the Dockerfile. */
  async function seen(
    sent: Sent,
  ): Promise<{ files?: string[]; text?: string; answer: { status: number; text: string } }> {
    const saw: { files?: string[]; text?: string } = {};
    builder.script = async function* ({ Context, Dockerfile }) {
      saw.files = readdirSync(Context).sort();
      saw.text = readFileSync(Dockerfile, 'utf8');
      yield { Result: { Image: busybox } };
    };
    return { ...saw, answer: await post(sent), ...saw };
  }

  test.each(['gzip', 'bzip2', 'xz', 'zstd'])('comes packed by %s', async (method) => {
    const tar = await tarOf(dockerfile, { name: 'f', content: 'x' });
    const packing = promisify(execFile)(method, ['-c'], { encoding: 'buffer' });
    packing.child.stdin?.end(tar);
    expect(await seen({ body: (await packing).stdout })).toMatchObject({ files: ['Dockerfile', 'f'] });
  });

  test('has a Dockerfile in either spelling, unless .dockerignore says otherwise', async () => {
    expect(await seen({ body: await tarOf({ ...dockerfile, name: 'dockerfile' }) })).toMatchObject({
      text: 'FROM busybox\n',
    });
    const ignore = { name: '.dockerignore', content: 'Dockerfile\n.dockerignore\nother\n' };
    const body = await tarOf(dockerfile, ignore, { name: 'other' });
    expect(await seen({ body })).toMatchObject({ files: ['other'], text: 'FROM busybox\n' });
  });

  test('that is hostile gets nothing of this host', async () => {
    const place = await mkdtemp('/tmp/cleat-e2e-outside-');
    writeFileSync(join(place, 'secret'), 'of this host');
    try {
      const link = (name: string, linkname: string): Entry => ({ name, type: 'symlink', linkname });
      const refused: [string, Entry[], string?][] = [
        ['a link as the Dockerfile', [link('Dockerfile', join(place, 'secret'))]],
        ['a link to a file above', [link('Dockerfile', `../../../../../../..${place}/secret`)]],
        ['a directory that leads out', [link('d', place), { name: 'x' }], 'dockerfile=d/secret'],
        ['a device as the Dockerfile', [{ name: 'Dockerfile', type: 'character-device' }]],
        ['a name that leads out', [dockerfile, { name: '../../escaped', content: 'x' }]],
        ['a file through a link', [dockerfile, link('d', place), { name: 'd/escaped', content: 'x' }]],
        ['a hard link to a file outside', [dockerfile, { name: 'h', type: 'link', linkname: `..${place}/secret` }]],
        ['what is no archive', []],
      ];
      for (const [what, entries, query] of refused) {
        const body = entries.length > 0 ? await tarOf(...entries) : Buffer.from('x'.repeat(2000));
        const { answer } = await seen({ body, query: query ?? '' });
        expect({ what, status: answer.status >= 400 || answer.text }).toEqual({ what, status: true });
        expect(answer.text).not.toContain('of this host');
      }
      expect(readdirSync(place)).toEqual(['secret']);
      expect(readFileSync(join(place, 'secret'), 'utf8')).toBe('of this host');
      expect(builder.orders).toEqual([]);
      expect(contexts()).toEqual([]);
    } finally {
      await rm(place, { recursive: true });
    }
  });

  test('comes from a web server: an archive, or a Dockerfile', async () => {
    const { createServer } = await import('node:http');
    const tar = await tarOf(dockerfile, { name: 'web' });
    const answers: Record<string, [number, string, Buffer | string]> = {
      '/context.tar.gz': [200, 'application/octet-stream', gzipSync(tar)],
      '/context.tar': [200, 'application/x-tar', tar],
      '/Dockerfile': [200, 'text/plain; charset=utf-8', 'FROM web\n'],
      '/untyped': [200, '', 'FROM untyped\n'],
      '/page': [200, 'text/html', '<html>'],
      '/gone': [404, 'text/plain', 'no such thing'],
    };
    const server = createServer((request, response) => {
      const [status, type, body] = answers[request.url ?? ''] ?? [500, '', ''];
      response.writeHead(status, type ? { 'Content-Type': type } : {}).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const from = (path: string) => seen({ query: `remote=${encodeURIComponent(`http://127.0.0.1:${port}${path}`)}` });
    try {
      for (const path of ['/context.tar.gz', '/context.tar']) {
        expect(await from(path)).toMatchObject({ files: ['Dockerfile', 'web'], text: 'FROM busybox\n' });
      }
      expect(await from('/Dockerfile')).toMatchObject({ files: [], text: 'FROM web\n' });
      expect(await from('/untyped')).toMatchObject({ files: [], text: 'FROM untyped\n' });
      builder.orders.length = 0;
      expect((await from('/page')).answer).toMatchObject({ text: expect.stringContaining('unsupported Content-Type') });
      expect((await from('/gone')).answer).toMatchObject({
        status: 404,
        text: expect.stringContaining('no such thing'),
      });
      expect(builder.orders).toEqual([]);
    } finally {
      server.close();
    }
    expect(contexts()).toEqual([]);
  });

  test('comes from a git repository: a branch, a tag, a commit, a directory in it', async () => {
    const place = await mkdtemp('/tmp/cleat-e2e-git-');
    const repository = join(place, 'app.git');
    const git = async (...args: string[]) => {
      const identity = ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'init.defaultBranch=main'];
      return (await promisify(execFile)('git', [...identity, ...args], { cwd: repository })).stdout.trim();
    };
    mkdirSync(join(repository, 'sub'), { recursive: true });
    const commit = async (text: string) => {
      writeFileSync(join(repository, 'Dockerfile'), `FROM ${text}\n`);
      writeFileSync(join(repository, 'sub/Dockerfile'), `FROM sub-${text}\n`);
      await git('add', '.');
      await git('commit', '-q', '-m', text);
      return await git('rev-parse', 'HEAD');
    };
    let daemon: import('node:child_process').ChildProcess | undefined;
    try {
      await git('init', '-q');
      const first = await commit('first');
      await git('tag', 'v1');
      await git('checkout', '-q', '-b', 'work');
      await commit('second');
      await git('checkout', '-q', 'main');
      await git('config', 'uploadpack.allowAnySHA1InWant', 'true');
      const { freePort } = await import('../support/ports.js');
      const port = await freePort();
      const { spawn } = await import('node:child_process');
      daemon = spawn('/usr/lib/git-core/git-daemon', [
        ...['--reuseaddr', '--export-all', `--base-path=${place}`, '--listen=127.0.0.1', `--port=${port}`, place],
      ]);
      const url = `git://127.0.0.1:${port}/app.git`;
      const from = (fragment: string) => seen({ query: `remote=${encodeURIComponent(url + fragment)}` });
      // The daemon listens a little later.
      await expect.poll(async () => (await from('')).text).toBe('FROM first\n');
      expect(await from('#work')).toMatchObject({ text: 'FROM second\n', files: ['.git', 'Dockerfile', 'sub'] });
      expect(await from('#v1')).toMatchObject({ text: 'FROM first\n' });
      expect(await from(`#${first}`)).toMatchObject({ text: 'FROM first\n' });
      expect(await from('#work:sub')).toMatchObject({ text: 'FROM sub-second\n', files: ['Dockerfile'] });
      builder.orders.length = 0;
      for (const [fragment, why] of [
        ['#none', 'error fetching'],
        ['#work:none', 'not within git root'],
        ['#work:../..', 'not within git root'],
        ['#--upload-pack=touch /tmp/x', 'invalid'],
      ] as const) {
        expect((await from(fragment)).answer.text, fragment).toContain(why);
      }
      for (const hostile of ['git@-oProxyCommand=touch:x', 'ssh://-oProxyCommand=touch/x', `${place}/app.git`]) {
        expect((await seen({ query: `remote=${encodeURIComponent(hostile)}` })).answer.status).toBeGreaterThanOrEqual(
          400,
        );
      }
      expect(builder.orders).toEqual([]);
    } finally {
      daemon?.kill();
      await rm(place, { recursive: true });
    }
    expect(contexts()).toEqual([]);
  });
}
