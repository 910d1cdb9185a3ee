import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { resolveEndpoint } from './endpoint.js';
import type { EngineOptions } from './options.js';
import { sshCommand } from './ssh.js';

/** A directory as the docker CLI's `~/.docker`. */
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-contexts-'));
  addContext(
    'far',
    { Host: 'tcp://far:2376', SkipTLSVerify: false },
    { ca: 'the CA', cert: 'a certificate', key: 'a key' },
  );
  addContext('near', { Host: 'unix:///run/near.sock' });
  addContext('kube', undefined);
});
afterAll(() => rmSync(directory, { recursive: true }));

function addContext(name: string, docker: object | undefined, tls: Record<string, string> = {}): void {
  const digest = createHash('sha256').update(name).digest('hex');
  const meta = join(directory, 'contexts/meta', digest);
  mkdirSync(meta, { recursive: true });
  writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Name: name, Endpoints: docker ? { docker } : {} }));
  const certificates = join(directory, 'contexts/tls', digest, 'docker');
  mkdirSync(certificates, { recursive: true });
  for (const [file, text] of Object.entries(tls)) writeFileSync(join(certificates, `${file}.pem`), text);
}

const resolve = (options: EngineOptions, env: NodeJS.ProcessEnv = {}) =>
  resolveEndpoint(options, { DOCKER_CONFIG: directory, ...env });

test('the last and nearest word counts: flags, DOCKER_HOST, DOCKER_CONTEXT, the chosen context, the default', () => {
  const far = { kind: 'tcp', host: 'far', port: 2376, tls: { ca: Buffer.from('the CA'), rejectUnauthorized: true } };
  const near = { kind: 'unix', path: '/run/near.sock' };
  const both = { DOCKER_HOST: 'unix:///run/other.sock', DOCKER_CONTEXT: 'far' };
  expect(resolve({})).toMatchObject({ kind: 'unix', path: '/run/docker.sock' });
  expect(resolve({}, { DOCKER_CONTEXT: 'far' })).toMatchObject(far);
  expect(resolve({}, both)).toMatchObject({ path: '/run/other.sock' });
  expect(resolve({ context: 'near' }, both)).toMatchObject(near);
  expect(resolve({ host: 'unix:///run/flag.sock' }, both)).toMatchObject({ path: '/run/flag.sock' });
  writeFileSync(join(directory, 'config.json'), '{"currentContext": "near"}');
  expect(resolve({})).toMatchObject(near);
  expect(resolve({}, { DOCKER_CONTEXT: 'default' })).toMatchObject({ path: '/run/docker.sock' });
  // As the docker CLI: what cannot be read is said, and the default engine is asked.
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  writeFileSync(join(directory, 'config.json'), '{');
  expect(resolve({})).toMatchObject({ path: '/run/docker.sock' });
  expect(said).toHaveBeenCalledWith(expect.stringMatching(/^WARNING: Error parsing config file .*config.json/));
  said.mockRestore();
  rmSync(join(directory, 'config.json'));
});

test('a context that is not there, or names no engine, is said', () => {
  expect(() => resolve({ context: 'nope' })).toThrow(/^context "nope": context not found \(known: default, /);
  expect(() => resolve({ context: 'kube' })).toThrow('context "kube" names no docker engine');
  expect(() => resolve({ context: 'near', host: 'unix:///x' })).toThrow('cannot specify both --host and --context');
});

test('TLS comes from flags or the environment, and is verified only where that is asked', () => {
  const host = 'tcp://10.0.0.1';
  expect(resolve({ host })).toEqual({ kind: 'tcp', host: '10.0.0.1', port: 2375, text: host });
  writeFileSync(join(directory, 'ca.pem'), 'our CA');
  const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory };
  const verified = { port: 2376, tls: { ca: Buffer.from('our CA'), rejectUnauthorized: true } };
  expect(resolve({ host }, env)).toMatchObject(verified);
  expect(resolve({ host }, { DOCKER_TLS: '1' })).toMatchObject({ tls: { rejectUnauthorized: false } });
  expect(resolve({ host, tlsverify: true, tlscacert: join(directory, 'ca.pem') })).toMatchObject(verified);
  expect(() => resolve({ host, tlskey: '/nonexistent/key.pem' })).toThrow('TLS needs /nonexistent/key.pem');
});

test('ssh addresses become the command that the docker CLI uses, and never an option of ssh', () => {
  const command = (host: string) => {
    const endpoint = resolve({ host });
    return endpoint.kind === 'ssh' ? sshCommand(endpoint.target).join(' ') : undefined;
  };
  expect(command('ssh://box')).toBe('ssh -o ConnectTimeout=30 -T -- box docker system dial-stdio');
  expect(command('ssh://me@[fd00::1]:2222/run/cleat.sock')).toBe(
    'ssh -o ConnectTimeout=30 -T -l me -p 2222 -- fd00::1 docker --host unix:///run/cleat.sock system dial-stdio',
  );
  for (const bad of ['ssh://-oProxyCommand=id', 'ssh://-x@box', 'ssh://me:secret@box', 'ssh://']) {
    expect(() => resolve({ host: bad }), bad).toThrow('invalid ssh address');
  }
  // The path is a word of the remote shell's command.
  expect(() => resolve({ host: 'ssh://box/run/x;reboot' })).toThrow('invalid ssh address');
});
