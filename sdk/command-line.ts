import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations } from '@cleat/protocol/options';

/** Options of `run` itself; all others belong to the extension. */
export const runFlags = {
  socket: { value: 'PATH', help: 'where to listen' },
  tcp: { value: 'HOST:PORT', help: 'listen there instead' },
  'tls-cert': { value: 'FILE', help: 'with --tcp: speak TLS with this certificate (PEM)' },
  'tls-key': { value: 'FILE', help: 'and its key' },
  'tls-ca': { value: 'FILE', help: 'let in only who shows a certificate that this CA signed' },
  spec: { value: 'FILE', help: 'with --tcp: written so that engines find the address; .json says whom to trust' },
  'spec-ca': { value: 'FILE', help: 'for .json: the CA by which engines verify; default: that of --tls-ca' },
  'spec-cert': { value: 'FILE', help: 'for .json: the certificate that engines show, if --tls-ca asks for one' },
  'spec-key': { value: 'FILE', help: 'and its key' },
  'log-format': { value: 'text|json', help: 'default: text on a terminal, json elsewhere' },
  debug: { help: 'log every call' },
  help: { help: 'print this and end' },
} as const satisfies Record<string, { value?: string; help: string }>;

export type RunFlag = keyof typeof runFlags;

export interface CommandLine {
  readonly flags: Partial<Record<RunFlag, string>>;
  /** The extension's own. */
  readonly options: Record<string, string>;
}

const isRunFlag = (name: string): name is RunFlag => Object.hasOwn(runFlags, name);

/**
 * Takes `--name value` and `--name=value` apart.
 * @param declared the extension's options; undefined: whatever comes is one
 * @throws InvalidParameter, one line
 */
export function readCommandLine(args: readonly string[], declared: OptionDeclarations | undefined): CommandLine {
  const flags: Partial<Record<RunFlag, string>> = {};
  const options: Record<string, string> = {};
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] === '-h' ? '--help' : (args[at] ?? '');
    const [, name, inline] = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) throw invalidParameter(`expected --NAME VALUE, not '${arg}'`);
    if (name === 'help' || name === 'debug') {
      if (inline !== undefined) throw invalidParameter(`--${name} takes no value`);
      flags[name] = '';
      continue;
    }
    if (declared && !isRunFlag(name) && !Object.hasOwn(declared, name)) {
      throw invalidParameter(`unknown option --${name}: there are ${knownFlags(declared)}`);
    }
    const value = inline ?? args[++at];
    if (value === undefined) throw invalidParameter(`--${name} needs a value`);
    if (isRunFlag(name)) flags[name] = value;
    else options[name] = value;
  }
  return { flags, options };
}

const knownFlags = (declared: OptionDeclarations): string =>
  [...Object.keys(declared), ...Object.keys(runFlags)].map((name) => `--${name}`).join(', ');

/** The text of `--help`. */
export function usage(name: string, declared: OptionDeclarations | undefined): string {
  const own = Object.entries(declared ?? {}).map(([option, { help = '', default: otherwise, required }]): Line => {
    const more = required ? ['required'] : otherwise === undefined ? [] : [`default: ${otherwise}`];
    return [`--${option} VALUE`, [help, ...more].filter(Boolean).join('; ')];
  });
  const common = Object.entries(runFlags).map(([flag, { help, ...rest }]): Line => {
    const text = flag === 'socket' ? `${help}; default: ${defaultSocket(name)}` : help;
    return [`--${flag}${'value' in rest ? ` ${rest.value}` : ''}`, text];
  });
  return [
    `Serves the Docker plugin ${name}.`,
    ...(declared === undefined ? ['', 'Every other --NAME VALUE is an option of the plugin.'] : []),
    ...(own.length > 0 ? ['', 'Options of the plugin:', ...table(own)] : []),
    '',
    'Options:',
    ...table(common),
    '',
  ].join('\n');
}

/** Where Docker and Cleat look for a plugin of that name. */
export const defaultSocket = (name: string): string => `/run/docker/plugins/${name}.sock`;

type Line = [left: string, right: string];

const table = (lines: readonly Line[]): string[] =>
  lines.map(([left, right]) => `  ${left.padEnd(22)} ${right}`.trimEnd());
