import { invalidParameter } from './errors.js';

/** One option that an extension declares. Its value is text, from a command line or a manifest. */
export interface OptionDeclaration {
  /** One line for `--help`, without a full stop. */
  readonly help?: string;
  /** Its value when nobody gives it; without one it may be undefined. */
  readonly default?: string;
  /** The extension cannot start without it. */
  readonly required?: true;
  /** A manifest may give it as a list or a map; the extension gets that as JSON. */
  readonly json?: true;
}

export type OptionDeclarations = Readonly<Record<string, OptionDeclaration>>;

/** The options that `start` gets for such declarations; without declarations, all that the operator wrote. */
export type OptionsOf<D extends OptionDeclarations> = string extends keyof D
  ? Readonly<Record<string, unknown>>
  : {
      readonly [N in keyof D]: D[N] extends { readonly default: string } | { readonly required: true }
        ? string
        : string | undefined;
    };

/**
 * Checks what was given against what is declared, and adds the defaults.
 * @param declared undefined: the extension reads its options itself, and they stay as they are
 * @throws InvalidParameter for an option that is not declared, one that is missing, and one that is no text
 */
export function readOptions(
  extension: string,
  declared: OptionDeclarations | undefined,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (declared === undefined) return given;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(declared, name));
  if (unknown !== undefined) throw invalidParameter(`${extension} has no option ${unknown}; ${known(declared)}`);
  return Object.fromEntries(
    Object.entries(declared).map(([name, declaration]) => [
      name,
      textOf(extension, name, declaration, Object.hasOwn(given, name) ? given[name] : undefined),
    ]),
  );
}

function textOf(extension: string, name: string, declaration: OptionDeclaration, given: unknown): string | undefined {
  const value = given ?? declaration.default;
  if (declaration.required && (value === undefined || value === '')) {
    throw invalidParameter(`${extension} needs the option ${name}${declaration.help ? `: ${declaration.help}` : ''}`);
  }
  // A manifest knows numbers and truth values, too.
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === undefined || typeof value === 'string') return value;
  if (declaration.json) return JSON.stringify(value);
  throw invalidParameter(`${extension}: the option ${name} must be text`);
}

function known(declared: OptionDeclarations): string {
  const names = Object.keys(declared);
  return names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
}
