import { DockerfileFault } from './fault.js';
import { type Heredoc, heredocsIn, takesHeredocs } from './heredoc.js';

/** The language's escape character: `\` unless the directive `escape` says otherwise. */
export type Escape = '\\' | '`';

export interface Directives {
  readonly syntax?: string;
  readonly check?: string;
  readonly escape: Escape;
}

/** An instruction as one line: continuations joined, comments left out. */
export interface LogicalLine {
  readonly text: string;
  /** The first and the last line of the file that it takes, from 1, its heredocs included. */
  readonly start: number;
  readonly end: number;
  readonly heredocs: readonly Heredoc[];
  /** Those right above it, directives left out; an empty one separates. */
  readonly comments: readonly string[];
}

export interface Lines {
  readonly directives: Directives;
  readonly lines: readonly LogicalLine[];
  /** Lines on which a continuation goes on after an empty line. */
  readonly emptyContinuations: readonly { readonly line: number; readonly text: string }[];
}

/** Comments above an instruction that say something of it. */
const maxComments = 100;
/** As BuildKit's scanner: a longer one is an error. */
const maxLine = 65_535;

const known = ['syntax', 'escape', 'check'] as const;
type Known = (typeof known)[number];

/**
 * Reads a file into instructions (BuildKit `frontend/dockerfile/parser`).
 * @throws DockerfileFault
 */
export function linesOf(file: string): Lines {
  // A byte order mark is no part of the text.
  const raw = file.replace(/^\uFEFF/, '').match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const { directives, count, faultAt } = directivesOf(raw);
  if (faultAt) throw faultAt;
  const token = directives.escape;
  const continued = token === '\\' ? /(?:^|([^\\]))\\[ \t]*$/ : /(?:^|([^`]))`[ \t]*$/;
  const lines: LogicalLine[] = [];
  const emptyContinuations: { line: number; text: string }[] = [];
  let comments: string[] = [];
  let at = 0;

  const take = (): string | undefined => {
    const line = raw[at];
    if (line === undefined) return undefined;
    at++;
    if (Buffer.byteLength(line) > maxLine) {
      throw new DockerfileFault(`dockerfile line greater than max allowed size of ${maxLine}`, at);
    }
    return line.replace(/[\r\n]+$/, '');
  };

  for (let line = take(); line !== undefined; line = take()) {
    const start = at;
    if (isComment(line) && start > count) {
      const comment = line.trim().slice(1).trim();
      if (comment === '') comments = [];
      else comments.push(comment);
      if (comments.length > maxComments) comments.shift();
    }
    let text = isComment(line) ? '' : line.trimStart();
    let open = continued.test(text);
    text = text.replace(continued, '$1');
    if (!open && text === '') continue;
    let hasEmpty = false;
    while (open) {
      const next = take();
      if (next === undefined) break;
      if (isComment(next)) continue;
      if (next.trim() === '') {
        hasEmpty = true;
        continue;
      }
      open = continued.test(next);
      text += next.replace(continued, '$1');
    }
    if (hasEmpty) emptyContinuations.push({ line: at, text });
    const heredocs = takesHeredocs(text) ? heredocsIn(text).map((one) => ({ ...one, content: body(one) })) : [];
    lines.push({ text, start, end: at, heredocs, comments });
    comments = [];

    function body({ name, chomp }: Heredoc): string {
      let content = '';
      for (;;) {
        const next = raw[at];
        if (next === undefined) throw new DockerfileFault('unterminated heredoc', start);
        at++;
        const bare = next.replace(/[\r\n]+$/, '');
        if ((chomp ? bare.replace(/^\t+/, '') : bare) === name) return content;
        content += next;
      }
    }
  }
  if (lines.length === 0) throw new DockerfileFault('file with no instructions', raw.length || undefined);
  return { directives, lines, emptyContinuations };
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

/** `# name=value` at the top of the file, until the first line that is none. */
function directivesOf(raw: readonly string[]): { directives: Directives; count: number; faultAt?: DockerfileFault } {
  const found = new Map<Known, string>();
  let count = 0;
  for (const [index, line] of raw.entries()) {
    if (index === 0 && line.startsWith('#!')) continue;
    const [, name = '', value = ''] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line.trimStart()) ?? [];
    const key = known.find((one) => one === name.toLowerCase());
    if (key === undefined) break;
    const faultAt = (message: string) => new DockerfileFault(message, index + 1);
    if (found.has(key)) {
      return {
        count,
        directives: { escape: '\\' },
        faultAt: faultAt(`only one ${key} parser directive can be used`),
      };
    }
    if (key === 'escape' && value !== '\\' && value !== '`') {
      return {
        count,
        directives: { escape: '\\' },
        faultAt: faultAt(`invalid escape token '${value}' does not match \` or \\`),
      };
    }
    found.set(key, value);
    count = index + 1;
  }
  const syntax = found.get('syntax');
  const check = found.get('check');
  return {
    count,
    directives: {
      escape: found.get('escape') === '`' ? '`' : '\\',
      ...(syntax !== undefined && { syntax }),
      ...(check !== undefined && { check }),
    },
  };
}
