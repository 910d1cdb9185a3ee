import { messageOf } from '@cleat/protocol/errors';
import { nearest } from '@cleat/protocol/nearest';
import { fitted, usageComplaint } from '@cleat/protocol/usage';
import { cleatVersion } from '../version.js';
import { wrapped } from './columns.js';
import { type Command, commands } from './commands.js';

function usage(): string {
  const width = Math.min(process.stdout.columns ?? 100, 100);
  const indent = Math.max(...Object.keys(commands).map((name) => name.length)) + 4;
  const lines = Object.entries(commands).map(([name, { help }]) => {
    const [first = '', ...more] = wrapped(help, width - indent);
    return [`  ${name.padEnd(indent - 2)}${first}`, ...more.map((line) => ' '.repeat(indent) + line)].join('\n');
  });
  const closing = wrapped(
    'Each command tells more with --help. Containers are the business of the docker CLI; this tool is for the engine itself.',
    width,
  );
  return `Usage: cleat COMMAND\n\n${lines.join('\n')}\n\n  cleat --version\n\n${closing.join('\n')}\n`;
}

/** @returns the exit code */
async function main([name = '', ...rest]: string[]): Promise<number> {
  if (['--version', '-v', 'version'].includes(name)) {
    process.stdout.write(`Cleat version ${cleatVersion()}\n`);
    return 0;
  }
  const [asked] = rest;
  if (name === 'help' && asked !== undefined) return main([asked, '--help']);
  if (['', '--help', '-h', 'help'].includes(name)) {
    process.stdout.write(usage());
    return name === '' ? 1 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    process.stderr.write(`cleat: unknown command: ${name}${hint(name)}. See 'cleat --help'.\n`);
    return 1;
  }
  if (command.details && asksForHelp(rest)) {
    const text = `Usage: cleat ${command.usage}\n\n${command.help}.\n${await command.details()}`;
    process.stdout.write(fitted(text, process.stdout.columns));
    return 0;
  }
  return run(name, command, rest);
}

function hint(name: string): string {
  const near = nearest(name, Object.keys(commands));
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

async function run(name: string, command: Command, args: string[]): Promise<number> {
  try {
    return await command.run(args);
  } catch (error) {
    const complaint = usageComplaint(error);
    if (complaint === undefined) throw error;
    process.stderr.write(`cleat ${name}: ${complaint}\n`);
    process.stderr.write(`See 'cleat ${name} --help'.\n`);
    return 1;
  }
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', () => process.exit(0));

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`cleat: ${messageOf(error)}\n`);
    process.exitCode = 1;
  },
);
