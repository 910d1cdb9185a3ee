import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import { type KindLabel, kindOf } from '@cleat/protocol/kinds/index';
import { typeOf } from '@cleat/protocol/plugins/types';
import { factsOf, type TemplateFacts } from './facts.js';
import { toJavaScript } from './javascript.js';
import { template } from './template.js';

export interface Requested {
  /** The plugin's name, which users say in `--driver`. */
  name: string;
  kind: KindLabel;
  /** Plain JavaScript, without a build step. */
  js: boolean;
  /** A directory with packed packages, for those that are not in the registry. */
  packages?: string | undefined;
}

/** Path, relative to the new directory, and text. */
export type Files = Record<string, string>;

/** All files of a new plugin. @throws InvalidParameter */
export function scaffold(requested: Requested): Files {
  checkName(requested.name);
  const facts = factsOf(requested.kind);
  const ending = requested.js ? 'js' : 'ts';
  const code = (path: string) => {
    const text = template(path)
      .replaceAll('my-plugin', requested.name)
      .replaceAll('{{testFlags}}', facts.testFlags)
      .replaceAll('{{capability}}', kindOf(requested.kind).name);
    return requested.js ? toJavaScript(text) : text;
  };
  const fill = (path: string) => filled(template(path), placeholders(requested, facts));
  return {
    'package.json': packageJson(requested, facts),
    ...(requested.js ? {} : { 'tsconfig.json': tsconfig }),
    [`plugin.${ending}`]: code(`${requested.kind}/plugin.ts`),
    [`main.${ending}`]: code('common/main.ts'),
    [`plugin.test.${ending}`]: code('common/plugin.test.ts'),
    'README.md': fill('common/readme.template'),
    [`${requested.name}.service`]: fill('common/service.template'),
    [`${requested.name}.socket`]: fill('common/socket.template'),
    [`${requested.name}.yaml`]: fill('common/manifest.template'),
    'plugin.json': pluginJson(requested, facts),
    '.gitignore': `node_modules/\n${requested.js ? '' : 'dist/\n'}*.tar\n`,
  };
}

/** Checks that a name fits a plugin, a package and a systemd unit. @throws InvalidParameter */
function checkName(name: string): void {
  if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) && name.length <= 40) return;
  throw invalidParameter(`a plugin is called by small letters, digits and dashes, such as my-volumes, not '${name}'`);
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole);
}

function placeholders({ name, kind, js }: Requested, facts: TemplateFacts): Record<string, string> {
  const main = js ? 'main.js' : 'dist/main.js';
  const named = (text: string) => text.replaceAll('{{name}}', name);
  const options = Object.entries(facts.options).map(([key, value]) => `      ${key}: ${named(value)}\n`);
  return {
    name,
    main,
    what: facts.what,
    use: facts.use.map(named).join('\n    '),
    start: `node ${main}`,
    plugin: js ? 'plugin.js' : 'plugin.ts',
    module: js ? 'plugin.js' : 'dist/plugin.js',
    installSteps: js ? ' && sudo npm ci --omit=dev' : ' && sudo npm ci && sudo npm run build',
    capability: kindOf(kind).name,
    options: options.length > 0 ? `    options:\n${options.join('')}` : '',
    sandbox: facts.sandbox.map((line) => `${named(line)}\n`).join(''),
  };
}

function packageJson({ name, js, packages }: Requested, { linux, programs }: TemplateFacts): string {
  const own = (...rooms: string[]) => Object.fromEntries(rooms.map((room) => dependency(room, packages)));
  const main = js ? 'main.js' : 'dist/main.js';
  const manifest = {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    bin: main,
    scripts: js
      ? { start: 'exec node main.js', test: 'node --test', package: 'cleat package' }
      : {
          build: 'tsc',
          // npm passes a signal to the shell, which is to be the plugin by then.
          start: 'npm run --silent build && exec node dist/main.js',
          test: 'npm run --silent build && node --test dist/',
          package: 'npm run --silent build && cleat package',
        },
    ...(programs.length > 0 && { cleat: { programs } }),
    dependencies: own('sdk', ...(packages ? ['protocol'] : []), ...(linux ? ['linux'] : [])),
    devDependencies: {
      ...own('conformance', ...(packages ? ['extensions'] : [])),
      ...(js ? {} : { '@types/node': '^20.19.43', typescript: '^7.0.2' }),
    },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** The manifest of `cleat package`. */
function pluginJson({ name, kind }: Requested, { what, managed }: TemplateFacts): string {
  const manifest = {
    Description: `${what[0]?.toUpperCase()}${what.slice(1)}`,
    Interface: { Socket: `${name}.sock`, Types: [typeOf(kindOf(kind))] },
    ...managed,
  };
  return `${JSON.stringify(manifest, null, 2).replaceAll('{{name}}', name)}\n`;
}

/**
 * A room's package: of the registry, or of a directory of packed ones.
 * @throws InvalidParameter when it is not there
 */
function dependency(room: string, packages: string | undefined): [name: string, version: string] {
  const name = `@cleat/${room}`;
  if (packages === undefined) return [name, '^0.1.0'];
  const directory = resolve(packages);
  const file = existsSync(directory) && readdirSync(directory).find((entry) => entry.startsWith(`cleat-${room}-`));
  if (!file) throw invalidParameter(`there is no package ${name} in ${directory}: npm run pack makes them`);
  return [name, `file:${fileURLToPath(pathToFileURL(`${directory}/${file}`))}`];
}

const tsconfig = `${JSON.stringify(
  {
    compilerOptions: {
      target: 'es2022',
      module: 'nodenext',
      types: ['node'],
      strict: true,
      outDir: 'dist',
      rootDir: '.',
      sourceMap: true,
      skipLibCheck: true,
    },
    include: ['*.ts'],
  },
  null,
  2,
)}\n`;

/** @throws Conflict for a directory that has something in it */
export function checkEmpty(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).length > 0) {
    throw conflict(`${directory} is there already, with something in it: choose another name`);
  }
}
