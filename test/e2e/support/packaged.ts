import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { checkout } from './documents.js';

/**
 * An example as `docker plugin create` takes it: `config.json` and `rootfs`, with the Node that runs this test.
 * @param manifest what is in its config.json beside what each has
 */
export async function packageExample(example: string, directory: string, manifest: object): Promise<string> {
  const root = join(directory, 'rootfs');
  mkdirSync(join(root, 'data'), { recursive: true });
  for (const file of programOf(process.execPath)) place(file, join(root, file));
  copyFileSync(process.execPath, join(root, 'node'));
  writeFileSync(join(root, 'main.mjs'), await bundled(example));
  describe(directory, manifest);
  return directory;
}

/** An example with all that it needs, as one module. */
export async function bundled(example: string): Promise<string> {
  const bundle = await rolldown({ input: join(checkout, 'examples', example, 'dist/main.js'), platform: 'node' });
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
  await bundle.close();
  return output[0].code;
}

/** Another config.json for the same root file system. */
export function describe(directory: string, manifest: object): void {
  const whole = {
    description: 'An example, packaged',
    documentation: 'https://example.invalid',
    entrypoint: ['/node', '/main.mjs'],
    workdir: '/',
    network: { type: 'none' },
    ...manifest,
  };
  writeFileSync(join(directory, 'config.json'), JSON.stringify(whole));
}

/** The same root file system with another manifest, without a copy of it. */
export function variant(of: string, directory: string, manifest: object): string {
  mkdirSync(directory, { recursive: true });
  execFileSync('cp', ['-al', join(of, 'rootfs'), directory]);
  describe(directory, manifest);
  return directory;
}

/** The libraries of a program, and what loads them. */
function programOf(program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
}

function place(file: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  try {
    linkSync(realpathSync(file), target);
  } catch {
    // On another file system.
    copyFileSync(file, target);
  }
}
