import { readFileSync } from 'node:fs';
import { groupNumber } from '@cleat/linux/process/user-names';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import { type Objects, objectsFrom } from '@cleat/sdk/authz';
import { type Judge, judgeOf, policyForms } from '@cleat/sdk/policy';
import { parse } from 'yaml';
import { ask } from '../engine/ask.js';
import { resolveEndpoint } from '../engine/endpoint.js';
import type { EngineOptions } from '../engine/options.js';

export interface FileOptions extends EngineOptions {
  readonly policy?: string | undefined;
  readonly form?: string | undefined;
}

export interface OpenPolicy {
  readonly judge: Judge;
  /** Objects that were asked for, and that only an engine knows. */
  readonly unanswered: readonly string[];
}

const defaultPolicy = '/etc/docker/authz-policy.yaml';

/** A policy file, judged by as the battery does. @throws InvalidParameter that names the file */
export function openPolicy(options: FileOptions): OpenPolicy {
  const { policy: path = defaultPolicy, form: given = 'policy' } = options;
  const form = policyForms.find((one) => one === given);
  if (form === undefined) throw invalidParameter(`--form is one of ${policyForms.join(', ')}, not ${given}`);
  const unanswered: string[] = [];
  const asksEngine = options.host !== undefined || options.context !== undefined;
  const endpoint = asksEngine ? resolveEndpoint(options) : undefined;
  const objects: Objects = endpoint
    ? objectsFrom((asked) => ask(endpoint, asked))
    : {
        async find(type, name) {
          unanswered.push(`${type} ${name}`);
          throw unavailable(`it depends on ${type} ${name}, which only an engine knows: name one with -H`);
        },
      };
  try {
    const judge = judgeOf(form, readFileSync(path, 'utf8'), {
      objects,
      groupId: groupNumber,
      parse: (text) => parse(text),
    });
    return { judge, unanswered };
  } catch (cause) {
    const meanwhile = 'an engine that had read it before goes on by the former one';
    throw invalidParameter(`the policy ${path} cannot be used: ${messageOf(cause)}; ${meanwhile}`, { cause });
  }
}
