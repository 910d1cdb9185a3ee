import { familiarName, type Reference, repositoryOf } from '../../content/references.js';
import type { TrustKey } from './verify.js';

/** One rule of `plugin-trust` in `daemon.json`, with its keys read. */
export interface TrustRule {
  /** A pattern of repositories, `registry.example/team/*`; `*` stands for any characters. */
  readonly name: string;
  /** Plugins of that name must be signed with one of them. */
  readonly keys: readonly TrustKey[];
  /** They need no signature. */
  readonly unsigned: boolean;
}

export type Demand =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'signature'; readonly rule: TrustRule }
  | { readonly kind: 'refused'; readonly why: string };

/**
 * The demand on a plugin: by the first rule whose pattern fits its repository, with its registry or as users write
 * it. Without any rules all plugins are taken; with some, one that none of them fits is not.
 */
export function demandOn(rules: readonly TrustRule[], reference: Reference): Demand {
  if (rules.length === 0) return { kind: 'nothing' };
  const names = [repositoryOf(reference), familiarName(reference)];
  const rule = rules.find(({ name }) => names.some((each) => fits(name, each)));
  if (rule === undefined) return { kind: 'refused', why: 'no rule of plugin-trust is for it' };
  if (rule.unsigned) return { kind: 'nothing' };
  if (rule.keys.length === 0) return { kind: 'refused', why: `the rule "${rule.name}" of plugin-trust names no key` };
  return { kind: 'signature', rule };
}

function fits(pattern: string, name: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(name);
}
