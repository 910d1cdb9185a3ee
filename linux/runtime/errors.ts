import { CleatError, type ErrorClass } from '@cleat/protocol/errors';
import { inRuncWords } from './crun.js';

/**
 * The last error that a runtime reported, as text. Runtimes write logfmt (`level=error msg="…"`), JSON lines
 * (`{"level":"error","msg":"…"}`) or plain text to stderr, and often repeat themselves.
 */
export function runtimeErrorText(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  let last = '';
  for (const line of lines) {
    if (!line) continue;
    const parsed = parseLogLine(line);
    if (parsed === undefined) last = line;
    else if (parsed.isError) last = parsed.message;
    else if (!last) last = parsed.message;
  }
  return last || 'the runtime reported nothing';
}

function parseLogLine(line: string): { isError: boolean; message: string } | undefined {
  if (line.startsWith('{')) {
    try {
      const entry: unknown = JSON.parse(line);
      if (typeof entry === 'object' && entry !== null && 'msg' in entry && typeof entry.msg === 'string') {
        return { isError: 'level' in entry && isErrorLevel(entry.level), message: entry.msg };
      }
    } catch {
      // Not JSON after all: plain text.
    }
    return undefined;
  }
  const match = /\blevel="?(\w+)"?\s.*?\bmsg=("(?:[^"\\]|\\.)*"?|\S+)/.exec(line);
  if (!match) return undefined;
  return { isError: isErrorLevel(match[1]), message: unquote(match[2] ?? '') };
}

function isErrorLevel(level: unknown): boolean {
  return level === 'error' || level === 'fatal' || level === 'panic';
}

function unquote(text: string): string {
  // Cut off in the middle, it has no end.
  const quoted = /^"((?:[^"\\]|\\.)*)/.exec(text)?.[1];
  return quoted?.replace(/\\(["\\])/g, '$1').replace(/\\n/g, '\n') ?? text;
}

/** The reason of a failed runtime call, on which callers act; found in `details.reason`. */
export type RuntimeFailure =
  | 'command-not-found'
  | 'command-not-executable'
  | 'no-such-container'
  | 'not-running'
  | 'other';

const patterns: readonly [RegExp, RuntimeFailure, ErrorClass][] = [
  [/container .*does not exist|error opening file .*status.*No such file/i, 'no-such-container', 'NotFound'],
  [
    /container not running|process already finished|not running|no such process|cannot .* stopped/i,
    'not-running',
    'Conflict',
  ],
  [
    /executable file.* not found|no such file or directory|not found in \$PATH/i,
    'command-not-found',
    'InvalidParameter',
  ],
  [
    /permission denied|is a directory|not a directory|exec format error|invalid argument.*exec/i,
    'command-not-executable',
    'InvalidParameter',
  ],
];

/**
 * The error of a failed runtime call, worded as Docker's (`OCI runtime create failed: …`). `details.reason` is a
 * {@link RuntimeFailure}; for a command that cannot be executed `details.exitCode` is 127 or 126 (source: moby
 * daemon/errors.go).
 * @param action `create`, `start`, `exec`, …
 * @param command what the process was to execute, for runtimes that do not say it
 */
export function runtimeError(action: string, output: string, command = ''): CleatError {
  const said = runtimeErrorText(output);
  const text = inRuncWords(action, said, command) ?? said;
  const [, reason, errorClass] = patterns.find(([pattern]) => pattern.test(text)) ?? [
    undefined,
    'other' as const,
    'System' as const,
  ];
  const exitCode = reason === 'command-not-found' ? 127 : reason === 'command-not-executable' ? 126 : undefined;
  return new CleatError(errorClass, `OCI runtime ${action} failed: ${text}: unknown`, {
    details: { reason, text, ...(exitCode === undefined ? {} : { exitCode }) },
  });
}
