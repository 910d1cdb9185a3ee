import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { expect, onTestFinished, test } from 'vitest';

const packaging = fileURLToPath(new URL('../../packaging/bundle', import.meta.url));
const launchers = fileURLToPath(new URL('../../bin', import.meta.url));

test.each(['cleat', 'cleatd'])('%s runs from its bundle until something was built since', (name) => {
  const root = mkdtempSync(join(tmpdir(), 'cleat-bundle-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string, seconds: number) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    utimesSync(file, seconds, seconds);
  };
  cpSync(launchers, join(root, 'bin'), { recursive: true });
  const run = () => execFileSync('sh', [join(root, 'bin', name)], { encoding: 'utf8' }).trim();
  put('package.json', '{"type":"module"}', 1);
  put(`cli/dist/${name}/main.js`, "console.log('built')", 10);
  put('cli/dist/.tsbuildinfo', '', 10);
  put('engine/dist/.tsbuildinfo', '', 10);
  expect(run()).toBe('built');
  put(`cli/dist/bundle/${name}.js`, "console.log('bundle')", 20);
  expect(run()).toBe('bundle');
  put('engine/dist/.tsbuildinfo', '', 30);
  expect(run()).toBe('built');
});

test('code that V8 has compiled before imports what is outside of the bundle, by name and by URL', async () => {
  const root = mkdtempSync(join(tmpdir(), 'cleat-bundle-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put('node_modules/outside/package.json', '{"name":"outside","type":"module","exports":"./index.js"}');
  put('node_modules/outside/index.js', "export const said = 'by name';");
  put('later.mjs', "export const said = 'by URL';");
  put(
    'main.js',
    `export async function main(url) {
       for (const { said } of [await import('outside'), await import(url)]) console.log(said);
     }
     if (process.argv[2] !== undefined) void main(process.argv[2]);`,
  );
  const { dynamicImports } = await import(pathToFileURL(join(packaging, 'render.mjs')).href);
  const build = await rolldown({ input: join(root, 'main.js'), plugins: [dynamicImports], external: ['outside'] });
  await build.write({ dir: join(root, 'bundle'), format: 'cjs', exports: 'named', entryFileNames: '[name].js' });
  await build.close();
  put('bundle/package.json', '{"type":"commonjs"}');
  copyFileSync(join(packaging, 'load.cjs'), join(root, 'bundle/load.js'));
  const input = JSON.stringify({ compile: [], run: ['main.js'] });
  execFileSync(process.execPath, [join(packaging, 'compile.cjs'), join(root, 'bundle'), 'plain'], { input });
  put('program.cjs', "const { Bundle } = require('./bundle/load.js'); new Bundle('plain').require('main.js');");
  const url = pathToFileURL(join(root, 'later.mjs')).href;
  const said = execFileSync(process.execPath, [join(root, 'program.cjs'), url], { encoding: 'utf8' });
  expect(said).toBe('by name\nby URL\n');
});
