import type { Caller } from '@cleat/protocol/caller';
import { invalidParameter } from '@cleat/protocol/errors';
import { nearest } from '@cleat/protocol/nearest';
import type { Objects } from '../authz/objects.js';
import { type Pattern, pattern } from './patterns.js';

/** Some of the callers there are, as a policy names them. */
export interface Callers {
  readonly text: string;
  /** @throws CleatError when the engine does not say what must be known */
  include(caller: Caller, objects: Objects): boolean | Promise<boolean>;
}

/** Reads `/etc/group`, or what stands for it. @returns undefined when there is no such group */
export type GroupId = (name: string) => number | undefined;

type Test = (caller: Caller, value: Pattern, objects: Objects) => boolean | Promise<boolean>;

/** A process of this host, and of none of its containers or plugins. */
const onHost = ({ Method, Within }: Caller): boolean => Method === 'unix' && Within === 'host';

const forms: Readonly<Record<string, Test>> = {
  user: ({ Method, User }, value) => Method === 'TLS' && value.matches(User, ''),
  san: ({ Method, Names }, value) => Method === 'TLS' && (Names ?? []).some((name) => value.matches(name, '')),
  unix: (caller, value) =>
    onHost(caller) && (value.matches(caller.User, '') || value.matches(String(caller.Process?.UID ?? ''), '')),
  container: ({ Container }, value) =>
    Container !== undefined && (value.matches(Container.Name, '') || value.matches(Container.ID, '')),
  plugin: ({ Plugin }, value) => Plugin !== undefined && value.matches(Plugin.Name, ''),
  async 'container-label'({ Container }, value, objects) {
    if (!Container) return false;
    const found = await objects.find('container', Container.ID);
    return Object.entries(found?.labels ?? {}).some(([key, label]) => value.matches(`${key}=${label}`, ''));
  },
};

const words: Readonly<Record<string, (caller: Caller) => boolean>> = {
  any: () => true,
  none: ({ Method }) => Method === 'none',
  unknown: ({ Method, Within }) => Method === 'unix' && Within === 'unknown',
};

/**
 * `user:alice` (a certificate's common name), `san:DNS:ci.example.org`, `unix:alice` or `unix:1000`, `unix-group:docker`,
 * `container:NAME`, `container-label:KEY=VALUE`, `plugin:NAME`, `none`, `unknown`, `any`.
 * @throws InvalidParameter
 */
export function callersOf(text: string, groupId: GroupId): Callers {
  const word = Object.hasOwn(words, text) ? words[text] : undefined;
  if (word) return { text, include: word };
  const [, form = '', value = ''] = /^([\w-]+):(.+)$/s.exec(text) ?? [];
  if (form === 'unix-group') return unixGroup(text, value, groupId);
  const test = Object.hasOwn(forms, form) ? forms[form] : undefined;
  if (test === undefined || value === '') throw unknownForm(text, form);
  const compiled = pattern(value);
  return { text, include: (caller, objects) => test(caller, compiled, objects) };
}

/** The group's number is looked up once: who may change the host's groups may change the policy, too. */
function unixGroup(text: string, value: string, groupId: GroupId): Callers {
  const id = /^\d+$/.test(value) ? Number(value) : groupId(value);
  return {
    text,
    include: (caller) => onHost(caller) && id !== undefined && groupsOf(caller).includes(id),
  };
}

function groupsOf({ Process }: Caller): readonly number[] {
  return Process ? [Process.GID, ...Process.Groups] : [];
}

function unknownForm(text: string, form: string): Error {
  const known = [...Object.keys(words), ...[...Object.keys(forms), 'unix-group', 'group'].map((name) => `${name}:…`)];
  const near = nearest(form, [...Object.keys(forms), ...Object.keys(words)]);
  const hint = near === undefined || near === form ? '' : ` (did you mean ${near}?)`;
  return invalidParameter(`${JSON.stringify(text)} names no callers${hint}: they are ${known.join(', ')}`);
}
