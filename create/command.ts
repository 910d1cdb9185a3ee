import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { isKindLabel, kindLabels } from '@cleat/protocol/kinds/index';
import { fitted, usageComplaint } from '@cleat/protocol/usage';
import { factsOf } from './facts.js';
import { checkEmpty, scaffold } from './scaffold.js';

export const createHelp = `Usage: npm create cleat-plugin DIRECTORY -- --kind KIND [OPTION…]
   or: cleat create DIRECTORY --kind KIND [OPTION…]

Makes a Docker plugin that works: code, a test that passes conformance, a systemd unit, a manifest for Cleat.
Its name, which users say in --driver, is that of the directory.

  --kind KIND      what it is for:
${kindLabels.map((kind) => `                     ${kind.padEnd(9)}${factsOf(kind).what}`).join('\n')}
  --js             plain JavaScript, without a build step
  --name NAME      another name than the directory's
  --packages DIR   take Cleat's packages from there (npm run pack in a checkout) instead of the registry
`;

/** `npm create cleat-plugin` and `cleat create`. @returns the exit status */
export async function createCommand(args: string[]): Promise<number> {
  try {
    return createFrom(args);
  } catch (error) {
    process.stderr.write(`create-cleat-plugin: ${messageOf(error)}\n`);
    return 2;
  }
}

function createFrom(args: string[]): number {
  const { values, positionals } = parsed(args);
  if (values.help) {
    process.stdout.write(fitted(createHelp, process.stdout.columns));
    return 0;
  }
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw invalidParameter('name one directory to make, or see --help');
  const { kind = '', js = false, packages } = values;
  if (!isKindLabel(kind))
    throw invalidParameter(`--kind takes one of ${kindLabels.join(', ')}${kind && `, not '${kind}'`}`);
  const directory = resolve(path);
  checkEmpty(directory);
  const files = scaffold({ name: values.name ?? basename(directory), kind, js, packages });
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text, { flag: 'wx' });
  process.stdout.write(`${Object.keys(files).join('\n')}

Now:
  cd ${relative('.', directory) || '.'}
  npm install
  npm test
`);
  return 0;
}

/** Options of the command; shells complete them. */
export const createOptions = {
  kind: { type: 'string' },
  js: { type: 'boolean' },
  name: { type: 'string' },
  packages: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: createOptions,
    });
  } catch (cause) {
    throw invalidParameter(usageComplaint(cause) ?? messageOf(cause), { cause });
  }
}
