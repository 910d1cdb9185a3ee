import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from './support/documents.js';
import { Program } from './support/program.js';

/** The packages as a stranger gets them: from tarballs, into an empty project, without this checkout around it. */
const rooms = ['protocol', 'linux', 'extensions', 'sdk', 'conformance'];
let directory: string;
let project: string;
const at = (room: string) => join(directory, 'tarballs', `cleat-${room}-0.1.0.tgz`);

const execute = async (command: string, args: readonly string[], cwd: string): Promise<string> => {
  const run = promisify(execFile)(command, args, { cwd, timeout: 240_000, maxBuffer: 16 * 1024 * 1024 });
  return (await run.catch(({ stdout, stderr }) => Promise.reject(new Error(`${command}: ${stdout}${stderr}`)))).stdout;
};

const plugin = `import { defineExtension, implement, notFound, run, volumeKind } from '@cleat/sdk';
import { chooseBlock } from '@cleat/sdk/addresses';
import { LogDriver, LogEntryDecoder } from '@cleat/sdk/logs';
import { startForTest } from '@cleat/sdk/testing';
import { SharedMounts } from '@cleat/sdk/volumes';

export const others = [chooseBlock, LogDriver, LogEntryDecoder, startForTest, SharedMounts];
const stranger = defineExtension({
  options: { root: { default: '/srv/stranger' }, token: { required: true }, colour: {} },
  start({ options }) {
    const root: string = options.root + options.token;
    // @ts-expect-error: it may be undefined
    const colour: string = options.colour;
    // @ts-expect-error: there is no such option
    options.rot;
    const Mountpoint = \`\${root}\${colour ?? ''}\`;
    return {
      implementations: [
        implement(volumeKind, {
          Create: () => {},
          Remove: () => {},
          Mount: () => ({ Mountpoint }),
          Unmount: () => {},
          Path: () => ({ Mountpoint }),
          Get: ({ Name }) => {
            throw notFound(\`there is no volume \${Name}\`);
          },
          List: () => ({ Volumes: [] }),
        }),
      ],
    };
  },
});

await run(stranger, { name: 'stranger' });
`;

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-packages-');
  mkdirSync(join(directory, 'tarballs'));
  const paths = rooms.map((room) => `./${room}`);
  await execute('npm', ['pack', '--silent', '--pack-destination', join(directory, 'tarballs'), ...paths], checkout);
  project = join(directory, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await execute('npm', ['install', ...quiet, at('protocol'), at('sdk')], project);
});
afterAll(() => rmSync(directory, { recursive: true }));

test.each(rooms)('%s holds what is needed, and nothing else', async (room) => {
  const names = (await execute('tar', ['-tzf', at(room)], directory)).trim().split('\n');
  const strange = names.filter(
    (name) => !/^package\/(package\.json|README\.md|LICENSE|dist\/.+(?<!\.test)\.(js|d\.ts))$/.test(name),
  );
  expect(strange).toEqual([]);
  const manifest = JSON.parse(await execute('tar', ['-xzOf', at(room), 'package/package.json'], directory));
  expect(manifest).toMatchObject({ type: 'module', license: 'Apache-2.0', engines: { node: '>=20.19' } });
  expect(manifest.description).not.toBe('');
  expect(Object.keys(manifest.scripts ?? {})).toEqual([]);
  for (const [entry, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue;
    // The compiler takes the first that fits.
    expect([entry, Object.keys(target as object)]).toEqual([entry, ['types', 'default']]);
    for (const path of Object.values(target as object)) {
      const [before = '', after = ''] = path.replace('./', 'package/').split('*');
      expect(names.some((name) => name.startsWith(before) && name.endsWith(after))).toBe(true);
    }
  }
});

test('the kit brings two libraries (types, and expressions in Go’s syntax for log options), and no native code', () => {
  const installed = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(installed.sort()).toEqual(['@cleat', 're2js', 'typebox']);
  expect(readdirSync(join(project, 'node_modules/@cleat')).sort()).toEqual(['protocol', 'sdk']);
});

test('a plugin of a stranger compiles as strictly as can be, and answers', async () => {
  const build = join(directory, 'build');
  cpSync(project, build, { recursive: true });
  for (const tool of ['typescript', '@types', 'undici-types']) {
    symlinkSync(join(checkout, 'node_modules', tool), join(build, 'node_modules', tool));
  }
  writeFileSync(join(build, 'plugin.ts'), plugin);
  const compilerOptions = { module: 'nodenext', target: 'es2023', strict: true, skipLibCheck: false, types: ['node'] };
  writeFileSync(join(build, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['plugin.ts'] }));
  await execute(join(checkout, 'node_modules/.bin/tsc'), ['-p', build], build);

  writeFileSync(join(project, 'plugin.js'), readFileSync(join(build, 'plugin.js')));
  const socket = join(directory, 'stranger.sock');
  await using program = new Program(process.execPath, [join(project, 'plugin.js'), '--socket', socket, '--token', 'x']);
  await program.made(socket);
  const ask = (path: string) =>
    execute('curl', ['-sS', '--unix-socket', socket, '-d', '{}', `http://p${path}`], project);
  expect(await ask('/Plugin.Activate')).toBe('{"Implements":["VolumeDriver"]}');
  expect(await ask('/VolumeDriver.Path')).toBe('{"Mountpoint":"/srv/strangerx"}');
  expect(await program.end('SIGTERM')).toBe(0);
});

test('a part that needs native code says so where that is not installed', async () => {
  const script = "await import('@cleat/sdk/linux')";
  const asked = execute(process.execPath, ['--input-type=module', '-e', script], project);
  await expect(asked).rejects.toThrow("Cannot find package '@cleat/linux'");
  const inner = "await import('@cleat/sdk/dist/serve.js')";
  await expect(execute(process.execPath, ['--input-type=module', '-e', inner], project)).rejects.toThrow(
    'ERR_PACKAGE_PATH_NOT_EXPORTED',
  );
});
