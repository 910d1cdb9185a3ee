import { type ParseArgsConfig, parseArgs } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;

export interface Command {
  readonly usage: string;
  /** Its purpose, in one line. */
  readonly help: string;
  /**
   * Its options as it parses them: completions are made from it. Loaded only when it is asked for, as all that follows.
   */
  readonly options: () => Promise<Options>;
  /** Its own subcommands. */
  readonly verbs?: readonly string[];
  /** The text of `--help` beyond usage and help. */
  readonly details?: () => Promise<string>;
  /** All that `--help` says, of a command that prints it itself because it is also a program of its own. */
  readonly ownHelp?: () => Promise<string>;
  readonly run: (args: string[]) => Promise<number>;
}

const engineUsage = '[-H HOST]';
const doctorOptions = { json: { type: 'boolean' } } as const satisfies Options;
const kit = () => import('@cleat/conformance/command');
const scaffold = () => import('create-cleat-plugin/command');

/** The one table of the tool's commands: its help, its completions and its man page are made from it. */
export const commands: Readonly<Record<string, Command>> = {
  doctor: {
    usage: 'doctor [--json]',
    help: 'Say what this host can and cannot do, and how to fix it; exit 1 if containers cannot run',
    options: async () => doctorOptions,
    details: async () => '\n      --json   The findings as JSON\n',
    async run(args) {
      const { values } = parseArgs({ args, options: doctorOptions });
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
    verbs: ['ls', 'inspect', 'logs'],
    options: async () => (await import('./extensions/command.js')).extensionsOptions,
    details: async () => (await import('./extensions/command.js')).extensionsHelp,
    run: async (args) => (await import('./extensions/command.js')).extensionsCommand(args),
  },
  'log-drivers': {
    usage: `log-drivers [--json] ${engineUsage}`,
    help: 'Show what log drivers have not got of what containers print, and what was dropped',
    options: async () => (await import('./log-drivers/command.js')).logDriversOptions,
    details: async () => (await import('./log-drivers/command.js')).logDriversHelp,
    run: async (args) => (await import('./log-drivers/command.js')).logDriversCommand(args),
  },
  networks: {
    usage: `networks map [NETWORK…] [--svg] [-o FILE] ${engineUsage}`,
    help: 'Draw which container is on which network, with its addresses and published ports, as text or SVG',
    verbs: ['map'],
    options: async () => (await import('./networks/command.js')).networksOptions,
    details: async () => (await import('./networks/command.js')).networksHelp,
    run: async (args) => (await import('./networks/command.js')).networksCommand(args),
  },
  hooks: {
    usage: `hooks [list|trace|test FILE] ${engineUsage}`,
    help: 'Show the request hooks of an engine, which of them changed or refused what, and try a request on them',
    verbs: ['list', 'trace', 'test'],
    options: async () => (await import('./hooks/command.js')).hooksOptions,
    details: async () => (await import('./hooks/command.js')).hooksHelp,
    run: async (args) => (await import('./hooks/command.js')).hooksCommand(args),
  },
  authz: {
    usage: `authz explain METHOD PATH|check FILE|actions ${engineUsage}`,
    help: 'Say what a policy for authorization says to a request, and why; test a policy file',
    verbs: ['explain', 'check', 'actions'],
    options: async () => (await import('./authz/command.js')).authzOptions,
    details: async () => (await import('./authz/command.js')).authzHelp,
    run: async (args) => (await import('./authz/command.js')).authzCommand(args),
  },
  audit: {
    usage: `audit [OPTION…] [--data-root DIR] ${engineUsage}`,
    help: 'Show who asked an engine for what, who allowed or denied it, and what came of it',
    options: async () => (await import('./audit/command.js')).auditOptions,
    details: async () => (await import('./audit/command.js')).auditHelp,
    run: async (args) => (await import('./audit/command.js')).auditCommand(args),
  },
  proxy: {
    usage: 'proxy --upstream unix:///var/run/docker.sock -H ADDRESS [OPTION…]',
    help: 'Serve hooks, authorizers and the audit journal in front of another engine, such as a stock dockerd',
    options: async () => (await import('./proxy/options.js')).proxyOptions,
    details: async () => (await import('./proxy/options.js')).proxyHelp,
    run: async (args) => (await import('./proxy/command.js')).proxyCommand(args),
  },
  record: {
    usage: 'record PLUGIN [--listen NAME|--in-place]',
    help: 'Write to a file what engines and a plugin say',
    options: async () => (await kit()).recordOptions,
    ownHelp: async () => (await kit()).recordHelp,
    run: async (args) => (await kit()).recordCommand(args),
  },
  replay: {
    usage: 'replay FILE PLUGIN | --serve NAME|PATH',
    help: 'Ask a plugin again what was recorded, or answer an engine in its stead',
    options: async () => (await kit()).replayOptions,
    ownHelp: async () => (await kit()).replayHelp,
    run: async (args) => (await kit()).replayCommand(args),
  },
  sweep: {
    usage: 'sweep --data-root DIR --exec-root DIR',
    help: 'Remove every trace of an engine that no longer runs: containers, mounts, networks, both roots',
    options: async () => (await import('./sweep.js')).sweepOptions,
    details: async () => (await import('./sweep.js')).sweepHelp,
    run: async (args) => (await import('./sweep.js')).sweepCommand(args),
  },
  create: {
    usage: 'create DIRECTORY --kind KIND [OPTION…]',
    help: 'Make a new plugin of any kind, with a test that passes conformance',
    options: async () => (await scaffold()).createOptions,
    ownHelp: async () => (await scaffold()).createHelp,
    run: async (args) => (await scaffold()).createCommand(args),
  },
  package: {
    usage: 'package [DIRECTORY] --push REF | --output PATH [OPTION…]',
    help: 'Make a managed plugin of an npm project or a root file system, for docker plugin install',
    options: async () => (await import('./package/command.js')).packageOptions,
    details: async () => (await import('./package/command.js')).packageHelp,
    run: async (args) => (await import('./package/command.js')).packageCommand(args),
  },
  plugins: {
    usage: 'plugins search [TERM]|index build REF…|sign REF|save NAME|load NAME FILE|keygen NAME',
    help: 'Find managed plugins that others publish; sign your own, list them in an index, carry them without a registry',
    verbs: ['search', 'index', 'sign', 'save', 'load', 'keygen'],
    options: async () => (await import('./plugins/command.js')).pluginsOptions,
    details: async () => (await import('./plugins/command.js')).pluginsHelp,
    run: async (args) => (await import('./plugins/command.js')).pluginsCommand(args),
  },
  verify: {
    usage: 'verify PLUGIN [OPTION…]',
    help: 'Test any Docker plugin through its socket: its protocol, and what engines really do',
    options: async () => ({
      ...(await kit()).verifyOptions,
      host: (await import('./engine/options.js')).engineOptions.host,
    }),
    ownHelp: async () => (await kit()).verifyHelp,
    async run(args) {
      const { isPackage, verifyPackage } = await import('./verify/package.js');
      return isPackage(args) ? await verifyPackage(args) : await (await kit()).verifyCommand(args);
    },
  },
};
