import { parseArgs } from 'node:util';

export interface Command {
  readonly usage: string;
  /** What it does, in one line. */
  readonly help: string;
  /** What `--help` says beyond that. Absent where the command prints its own help. */
  readonly details?: () => Promise<string>;
  /** Loaded only when it is asked for. */
  readonly run: (args: string[]) => Promise<number>;
}

const engineFlags = '[-H HOST]';

/** The one table of the tool's commands: its help, its completions and its man page are made from it. */
export const commands: Readonly<Record<string, Command>> = {
  doctor: {
    usage: 'doctor [--json]',
    help: 'Say what this host can and cannot do, and how to fix it; exit 1 if containers cannot run',
    details: async () => '\n      --json   The findings as JSON\n',
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
    usage: `extensions [ls|inspect NAME|logs NAME] ${engineFlags}`,
    help: 'Show the extensions that an engine knows: state and why, health, calls, failures, what they say',
    details: async () => (await import('./extensions/command.js')).extensionsHelp,
    run: async (args) => (await import('./extensions/command.js')).extensionsCommand(args),
  },
  'log-drivers': {
    usage: `log-drivers [--json] ${engineFlags}`,
    help: 'Show what log drivers have not got of what containers print, and what was dropped',
    details: async () => (await import('./log-drivers/command.js')).logDriversHelp,
    run: async (args) => (await import('./log-drivers/command.js')).logDriversCommand(args),
  },
  record: {
    usage: 'record PLUGIN [--listen NAME|--in-place]',
    help: 'Write to a file what engines and a plugin say',
    run: async (args) => (await import('@cleat/conformance/command')).recordCommand(args),
  },
  replay: {
    usage: 'replay FILE PLUGIN | --serve NAME|PATH',
    help: 'Ask a plugin again what was recorded, or answer an engine in its stead',
    run: async (args) => (await import('@cleat/conformance/command')).replayCommand(args),
  },
  sweep: {
    usage: 'sweep --data-root DIR --exec-root DIR',
    help: 'Remove every trace of an engine that no longer runs: containers, mounts, networks, both roots',
    details: async () => (await import('./sweep.js')).sweepHelp,
    run: async (args) => (await import('./sweep.js')).sweepCommand(args),
  },
  create: {
    usage: 'create DIRECTORY --kind KIND [OPTION…]',
    help: 'Make a new plugin of any kind, with a test that passes conformance',
    run: async (args) => (await import('create-cleat-plugin/command')).createCommand(args),
  },
  verify: {
    usage: 'verify PLUGIN [OPTION…]',
    help: 'Test any Docker plugin through its socket: its protocol, and what engines really do',
    run: async (args) => (await import('@cleat/conformance/command')).verifyCommand(args),
  },
};
