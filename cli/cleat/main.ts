import { parseArgs } from 'node:util';
import { messageOf } from '@cleat/protocol/errors';
import { cleatVersion } from '../version.js';

interface Command {
  readonly usage: string;
  readonly help: string;
  /** Loaded only when it is asked for. */
  run(args: string[]): Promise<number>;
}

const commands: Record<string, Command> = {
  doctor: {
    usage: 'doctor [--json]',
    help: 'Say what this host can and cannot do, and how to mend it; exit 1 if containers cannot run',
    async run(args) {
      const { values } = parseArgs({ args, options: { json: { type: 'boolean' } } });
      const { examine, report } = await import('./doctor/doctor.js');
      const findings = await examine();
      const text = values.json ? `${JSON.stringify(findings, null, 2)}\n` : report(findings, process.stdout.isTTY);
      process.stdout.write(text);
      return findings.some(({ status }) => status === 'fail') ? 1 : 0;
    },
  },
  extensions: {
    usage: 'extensions ls|inspect NAME [-H HOST]',
    help: 'Show the extensions that an engine knows: state and why, health, calls, failures (--json: as JSON)',
    async run(args) {
      const { extensionsCommand } = await import('./extensions/command.js');
      return extensionsCommand(args);
    },
  },
  'log-drivers': {
    usage: 'log-drivers [-H HOST]',
    help: 'Show what log drivers have not got of what containers print, and what was dropped (--json: as JSON)',
    async run(args) {
      const { logDriversCommand } = await import('./log-drivers/command.js');
      return logDriversCommand(args);
    },
  },
  record: {
    usage: 'record PLUGIN [--listen NAME|--in-place]',
    help: 'Write to a file what engines and a plugin say (record --help tells more)',
    async run(args) {
      const { recordCommand } = await import('@cleat/conformance/command');
      return recordCommand(args);
    },
  },
  replay: {
    usage: 'replay FILE PLUGIN | --serve NAME|PATH',
    help: 'Ask a plugin again what was recorded, or answer an engine in its stead (replay --help tells more)',
    async run(args) {
      const { replayCommand } = await import('@cleat/conformance/command');
      return replayCommand(args);
    },
  },
  sweep: {
    usage: 'sweep --data-root DIR --exec-root DIR',
    help: 'Remove every trace of an engine that does not run any more: containers, mounts, networks, both roots',
    async run(args) {
      const { sweepCommand } = await import('./sweep.js');
      return sweepCommand(args);
    },
  },
  create: {
    usage: 'create DIRECTORY --kind KIND [OPTION…]',
    help: 'Make a new plugin of any kind, with a test that passes conformance (--help)',
    async run(args) {
      const { createCommand } = await import('create-cleat-plugin/command');
      return createCommand(args);
    },
  },
  verify: {
    usage: 'verify PLUGIN [OPTION…]',
    help: 'Test any Docker plugin through its socket: its protocol, and what engines really do (--help)',
    async run(args) {
      const { verifyCommand } = await import('@cleat/conformance/command');
      return verifyCommand(args);
    },
  },
};

function usage(): string {
  const lines = Object.values(commands).map(({ usage: line, help }) => `  cleat ${line.padEnd(42)}${help}`);
  return `Usage: cleat COMMAND\n\n${lines.join('\n')}\n  cleat --version\n\nContainers are the business of the docker CLI; this tool is for the engine itself.\n`;
}

async function main([name = '', ...rest]: string[]): Promise<number> {
  if (['--version', '-v', 'version'].includes(name)) {
    process.stdout.write(`Cleat version ${cleatVersion()}\n`);
    return 0;
  }
  if (['', '--help', '-h', 'help'].includes(name)) {
    process.stdout.write(usage());
    return name === '' ? 1 : 0;
  }
  const command = commands[name];
  if (command === undefined) {
    process.stderr.write(`cleat: unknown command: ${name}\n\n${usage()}`);
    return 1;
  }
  return command.run(rest);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`cleat: ${messageOf(error)}\n`);
    process.exitCode = 1;
  },
);
