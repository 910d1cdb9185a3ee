import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { git } from './git.js';

const { signal } = new AbortController();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-git-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

test('git gets proxies of either case, what it is given, and nothing else of this process', async () => {
  vi.stubEnv('HTTPS_PROXY', 'http://proxy.invalid:3128');
  vi.stubEnv('no_proxy', 'here.invalid');
  vi.stubEnv('CLEAT_SECRET', 'hidden');
  const env = { SSH_AUTH_SOCK: '/agent' };
  const { stdout } = await git(directory, ['-c', 'alias.showenv=!env', 'showenv'], { signal, env });
  expect(stdout).toContain('HTTPS_PROXY=http://proxy.invalid:3128\n');
  expect(stdout).toContain('no_proxy=here.invalid\n');
  expect(stdout).toContain('SSH_AUTH_SOCK=/agent\n');
  expect(stdout).not.toContain('hidden');
});

test('a repository of this host cannot be named, and hooks do not run', async () => {
  execFileSync('git', ['init', '--quiet', '--bare', join(directory, 'bare')]);
  await git(directory, ['init', '--quiet'], { signal });
  const { code, stderr } = await git(directory, ['fetch', '--', join(directory, 'bare')], { signal });
  expect(code).not.toBe(0);
  expect(stderr).toContain("transport 'file' not allowed");
  expect((await git(directory, ['config', 'core.hooksPath'], { signal })).stdout).toBe('/dev/null\n');
});
