import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kinds } from '@cleat/protocol/kinds/index';
import type { OptionDeclarations } from '@cleat/protocol/options';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

/** Every battery has the same files, and a README with the same sections in the same order. */
const folder = fileURLToPath(new URL('../../batteries/', import.meta.url));
const manifest = parse(readFileSync(join(folder, 'manifest.yaml'), 'utf8')) as {
  extensions: Record<string, { driver: string; module: string; kinds: string[]; options?: Record<string, string> }>;
};
const folders = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['dist', 'node_modules'].includes(entry.name))
  .map(({ name }) => name);

test('the manifest has every battery that there is, and no other', () => {
  expect(folders.length).toBeGreaterThan(8);
  expect(Object.keys(manifest.extensions).sort()).toEqual(folders.sort());
});

describe.each(folders)('%s', (name) => {
  const entry = manifest.extensions[name] ?? { driver: '', module: '', kinds: [] };
  const readme = readFileSync(join(folder, name, 'README.md'), 'utf8');
  const sections = new Map(
    readme
      .split(/^## /m)
      .slice(1)
      .map((text): [string, string] => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n')).trim()]),
  );
  const subject = {
    ...{ VolumeDriver: 'volume', NetworkDriver: 'network', IpamDriver: 'network', LogDriver: 'container' },
    ImageBuilder: 'build',
    authz: 'request',
  }[entry.kinds[0] ?? ''];

  test('has its README, options, driver, main and test', async () => {
    expect(entry.module).toBe(`./${name}/main.js`);
    const files = ['README.md', 'options.ts', 'driver.ts', 'main.ts', `${name}.test.ts`];
    expect(files.filter((file) => !existsSync(join(folder, name, file)))).toEqual([]);
    // Options that differ from one volume, network or container to the next are in a file of the same form.
    const others = readdirSync(join(folder, name)).filter((file) => file.endsWith('options.ts'));
    expect(['options.ts', 'volume-options.ts', 'network-options.ts', 'log-options.ts']).toEqual(
      expect.arrayContaining(others),
    );
  });

  test('is a module with declared options, which the manifest gives', async () => {
    const { default: module } = (await import(`../../batteries/${name}/main.ts`)) as { default: Module };
    const { options } = (await import(`../../batteries/${name}/options.ts`)) as { options: OptionDeclarations };
    expect(Object.keys(module).sort()).toEqual(['options', 'start']);
    expect(module.options).toBe(options);
    const given = Object.keys(entry.options ?? {});
    expect(given.filter((option) => !(option in options))).toEqual([]);
    expect(Object.keys(options).filter((option) => options[option]?.required && !given.includes(option))).toEqual([]);
    expect(kinds.map((kind) => kind.name)).toEqual(expect.arrayContaining(entry.kinds));
  });

  test('has a README with the same sections as the others', () => {
    expect(readme.split('\n', 1)[0]).toBe(`# ${name}`);
    const [kind] = entry.kinds;
    expect(readme.split('\n')[2]).toMatch(
      new RegExp(`^_${name}_ - .*\\(driver name \`${entry.driver}\`, kind \`${kind}\`\\)\\.$`),
    );
    expect([...sections.keys()]).toEqual([
      'Description',
      'Examples',
      'Options',
      `Options of a ${subject}`,
      'State',
      'Files',
      'See also',
    ]);
    for (const text of sections.values()) expect(text).not.toBe('');
    // The examples are run by test/e2e/documents.
    expect(sections.get('Examples')).toMatch(/^```sh\n[\s\S]*\n```$/);
  });

  test('documents the options that it declares, with their defaults', async () => {
    const { options } = (await import(`../../batteries/${name}/options.ts`)) as { options: OptionDeclarations };
    const text = sections.get('Options') ?? '';
    expect(text === 'None.').toBe(Object.keys(options).length === 0);
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));
    const shown = rows.map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
    expect(shown.map(([, option, value]) => [option, value])).toEqual(
      Object.entries(options).map(([option, declared]) => [option, declared.default ?? '']),
    );
    for (const [, option = '', , meaning = ''] of shown) {
      expect(options[option]?.help).toBeDefined();
      expect(meaning.endsWith('required')).toBe(options[option]?.required === true);
    }
  });

  test('is verified, its README is run, and a test says what is missing without it', () => {
    const text = (file: string) => readFileSync(new URL(`../e2e/${file}`, import.meta.url), 'utf8');
    const verified = text('verify.test.ts') + text('verify-networks.test.ts');
    expect(
      [name, name.replace('log-', '')].some((one) => verified.includes(`'${one}'`) || verified.includes(` ${one} `)),
    ).toBe(true);
    expect(text('documents/examples.test.ts')).toContain(`batteries/${name}/README.md`);
    expect(text('extensions.test.ts')).toContain(`'${name}': {`);
  });

  test('says what each of its files is for', () => {
    const text = sections.get('Files') ?? '';
    const files = readdirSync(join(folder, name), { withFileTypes: true });
    const own = files
      .filter((file) => file.isDirectory() || (file.name.endsWith('.ts') && !file.name.endsWith('.test.ts')))
      .map((file) => (file.isDirectory() ? `${file.name}/` : file.name))
      // These two are the same in every battery.
      .filter((file) => !['main.ts', 'options.ts'].includes(file));
    expect(own.filter((file) => !text.includes(`\`${file}\``))).toEqual([]);
    const named = [...text.matchAll(/`([\w./-]+(?:\.ts|\/))`/g)].map(([, file = '']) => file);
    const root = fileURLToPath(new URL('../../', import.meta.url));
    expect(named.filter((file) => !existsSync(join(folder, name, file)) && !existsSync(join(root, file)))).toEqual([]);
  });
});

interface Module {
  readonly options: OptionDeclarations;
  readonly start: unknown;
}
