import { parseArgs } from 'node:util';
import { engineOptions } from './engine/options.js';

export interface Command {
  readonly usage: string;
  /** What it does, in one line. */
  readonly help: string;
  /** Its options, for completions; `--help` tells what they mean. */
  readonly flags: readonly string[];
  /** Its own subcommands. */
  readonly verbs?: readonly string[];
  /** What `--help` says beyond that. Absent where the command prints its own help. */
  readonly details?: () => Promise<string>;
  /** Loaded only when it is asked for. */
  readonly run: (args: string[]) => Promise<number>;
}

const engineUsage = '[-H HOST]';
const engineFlags = Object.keys(engineOptions).map((name) => `--${name}`);

/** The one table of the tool's commands: its help, its completions and its man page are made from it. */
export const commands: Readonly<Record<string, Command>> = {
  doctor: {
    usage: 'doctor [--json]',
    help: 'Say what this host can and cannot do, and how to fix it; exit 1 if containers cannot run',
    flags: ['--json'],
    details: async () => '\n      --json   The findings as JSON\n',
    async run(args) {
      const { values } = parseArgs({ args, options: { json: { type: 'boolean' } } });
      const { examine, report } = await import('./doctor/doctor.js');
      const findings = await examine();
      const text = values.json
        ? `${JSON.stringify(findings, null, 2)}\n`
        : report(findings, process.stdout.isTTY, process.stdout.columns);
      process.stdout.write(text);
      return findings.some(({ status }) => status === 'fail') ? 1 : 0;
    },
  },
  extensions: {
    usage: `extensions [ls|inspect NAME|logs NAME] ${engineUsage}`,
    help: 'Show the extensions that an engine knows: state and why, health, calls, failures, what they say',
    flags: ['--json', '--kind', '--follow', '--tail', ...engineFlags],
    verbs: ['ls', 'inspect', 'logs'],
    details: async () => (await import('./extensions/command.js')).extensionsHelp,
    run: async (args) => (await import('./extensions/command.js')).extensionsCommand(args),
  },
  'log-drivers': {
    usage: `log-drivers [--json] ${engineUsage}`,
    help: 'Show what log drivers have not got of what containers print, and what was dropped',
    flags: ['--json', ...engineFlags],
    details: async () => (await import('./log-drivers/command.js')).logDriversHelp,
    run: async (args) => (await import('./log-drivers/command.js')).logDriversCommand(args),
  },
  record: {
    usage: 'record PLUGIN [--listen NAME|--in-place]',
    help: 'Write to a file what engines and a plugin say',
    flags: ['--listen', '--in-place', '--put-back', '--output', '--redact', '--no-redact'],
    run: async (args) => (await import('@cleat/conformance/command')).recordCommand(args),
  },
  replay: {
    usage: 'replay FILE PLUGIN | --serve NAME|PATH',
    help: 'Ask a plugin again what was recorded, or answer an engine in its stead',
    flags: ['--serve', '--any-order', '--timing', '--ignore', '--speed', '--json'],
    run: async (args) => (await import('@cleat/conformance/command')).replayCommand(args),
  },
  sweep: {
    usage: 'sweep --data-root DIR --exec-root DIR',
    help: 'Remove every trace of an engine that no longer runs: containers, mounts, networks, both roots',
    flags: ['--data-root', '--exec-root'],
    details: async () => (await import('./sweep.js')).sweepHelp,
    run: async (args) => (await import('./sweep.js')).sweepCommand(args),
  },
  create: {
    usage: 'create DIRECTORY --kind KIND [OPTION…]',
    help: 'Make a new plugin of any kind, with a test that passes conformance',
    flags: ['--kind', '--js', '--name', '--packages'],
    run: async (args) => (await import('create-cleat-plugin/command')).createCommand(args),
  },
  verify: {
    usage: 'verify PLUGIN [OPTION…]',
    help: 'Test any Docker plugin through its socket: its protocol, and what engines really do',
    flags: [
      '--read-only',
      '--start',
      '--elsewhere',
      '--opt',
      '--only',
      '--skip',
      '--timeout',
      '--plugin-dir',
      '--strict',
      '--format',
      '--output',
      '--verbose',
      '--list',
    ],
    run: async (args) => (await import('@cleat/conformance/command')).verifyCommand(args),
  },
};
