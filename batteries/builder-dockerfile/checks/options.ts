import { invalidParameter } from '@cleat/protocol/errors';

/** Which checks are made, and whether one that fails is an error: `# check=skip=…;error=true`. */
export interface CheckOptions {
  readonly skip: ReadonlySet<string>;
  readonly experimental: ReadonlySet<string>;
  readonly isError: boolean;
}

const none: CheckOptions = { skip: new Set(), experimental: new Set(), isError: false };

/** @throws InvalidParameter in BuildKit's words */
export function checkOptions(text: string): CheckOptions {
  if (text.trim() === '') return none;
  const parts = text.trim().split(';');
  let { skip, experimental, isError } = none;
  // There are three parts at most; the last one takes the rest, as in BuildKit.
  for (const part of [...parts.slice(0, 2), ...(parts.length > 2 ? [parts.slice(2).join(';')] : [])]) {
    const at = part.indexOf('=');
    if (at < 0) throw invalidParameter(`invalid check option ${JSON.stringify(part)}`);
    const [key, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    const list = () => new Set(value.split(',').map((one) => one.trim()));
    if (key === 'skip') skip = list();
    else if (key === 'experimental') experimental = list();
    else if (key === 'error') isError = boolean(part, value);
    else throw invalidParameter(`invalid check option ${JSON.stringify(key)}`);
  }
  return { skip, experimental, isError };
}

/** The options of the file, with those of a comment `# check=…` above an instruction. */
export function withComments(options: CheckOptions, comments: readonly string[]): CheckOptions {
  for (const comment of comments) {
    const [, value] = /^check\s*=\s*(\S+)/i.exec(comment) ?? [];
    if (value === undefined) continue;
    try {
      const own = checkOptions(value);
      return {
        skip: new Set([...options.skip, ...own.skip]),
        experimental: new Set([...options.experimental, ...own.experimental]),
        isError: options.isError,
      };
    } catch {
      // A comment is no place for errors.
      return options;
    }
  }
  return options;
}

function boolean(part: string, value: string): boolean {
  if (/^(1|t|true|T|TRUE|True)$/.test(value)) return true;
  if (/^(0|f|false|F|FALSE|False)$/.test(value)) return false;
  throw invalidParameter(
    `failed to parse check option ${JSON.stringify(part)}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}
